"""Alerts, recording rules, the dashboard and the autoscaler name metrics that there are."""

import json
import pathlib
import re
import tempfile
import unittest

import yaml

from tools import CHART, ROOT, anchors, need, read, run

FILES = CHART / "files"
# What Prometheus itself knows of a target.
OTHERS = {"up"}
# Variables of Grafana, as they might be filled in.
VARIABLES = {"$__rate_interval": "5m", "$job": "watchfire", "$instance": "a:9464"}


def documented():
    """The series of docs/metrics.md."""
    return set(re.findall(r"^\| `([a-z_]+)` \|", read("docs/metrics.md"), re.M))


def rules(name):
    groups = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard():
    return json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))


def expressions():
    """Every expression, with the place where it stands."""
    for name in ["alerts.yaml", "recording.yaml"]:
        for rule in rules(name):
            yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    query = re.search(r"query: (.*)", read("deploy/helm/watchfire/templates/monitoring.yaml"))
    yield "ScaledObject", re.sub(r"\{\{[^}]*\}\}", "x", query.group(1))


def named(expression):
    """The series that an expression asks for."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:watchfire|process|kafka)_[a-z_]+\b|\bup\b", bare))


class Monitoring(unittest.TestCase):
    def test_every_series_that_is_asked_for_is_there(self):
        known = documented() | OTHERS | {rule["record"] for rule in rules("recording.yaml")}
        self.assertGreater(len(known), 30)
        asked = [(place, name) for place, text in expressions() for name in named(text)]
        self.assertGreater(len(asked), 60)
        self.assertEqual([(place, name) for place, name in asked if name not in known], [])

    def test_a_name_that_is_not_there_would_be_seen(self):
        self.assertEqual(
            named('sum(rate(watchfire_x_total{a="watchfire_y"}[5m])) > up'),
            {"watchfire_x_total", "up"},
        )

    def test_recording_rules_take_what_stands_before_them(self):
        seen = documented()
        for rule in rules("recording.yaml"):
            self.assertLessEqual(named(rule["expr"]), seen, rule["record"])
            seen.add(rule["record"])

    def test_each_alert_says_what_and_where_to_read_on(self):
        headings = anchors(read("docs/runbook.md"))
        for rule in rules("alerts.yaml"):
            name = rule["alert"]
            self.assertIn(rule["labels"]["severity"], {"critical", "warning", "info"}, name)
            self.assertTrue(rule["annotations"]["summary"], name)
            path, anchor = rule["annotations"]["runbook_url"].split("#")
            self.assertEqual(path, "docs/runbook.md", name)
            self.assertIn(anchor, headings, name)

    def test_the_runbook_names_every_alert(self):
        text = read("docs/runbook.md")
        missing = [r["alert"] for r in rules("alerts.yaml") if f"`{r['alert']}`" not in text]
        self.assertEqual(missing, [])

    def test_the_dashboard_has_every_panel_described_and_none_over_another(self):
        taken = set()
        for panel in dashboard()["panels"]:
            if panel["type"] != "row":
                self.assertTrue(panel["description"], panel["title"])
                self.assertTrue(panel["targets"], panel["title"])
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_prometheus_reads_every_expression(self):
        promtool = need("promtool")
        filled = []
        for number, (_, text) in enumerate(expressions()):
            for variable, value in VARIABLES.items():
                text = text.replace(variable, value)
            filled.append({"record": f"check:e{number}:x", "expr": text})
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "rules.yaml"
            groups = [{"name": "all", "rules": filled}]
            file.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
            run(promtool, "check", "rules", file)
        run(promtool, "check", "rules", FILES / "alerts.yaml", FILES / "recording.yaml")

    def test_prometheus_says_what_alerts_should_say(self):
        run(need("promtool"), "test", "rules", ROOT / "tests/deploy/alerts.yaml")


if __name__ == "__main__":
    unittest.main()
