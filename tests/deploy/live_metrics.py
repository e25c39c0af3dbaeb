"""Holds the dashboard, alerts and recording rules against what a worker really serves."""

import json
import pathlib
import re

FILES = pathlib.Path(__file__).resolve().parents[2] / "deploy/helm/watchfire/files"
# Labels that Prometheus gives a target, and those that recording rules make.
GIVEN = {"job", "instance", "namespace", "service", "cluster_name", "group", "consumergroup"}


def served(text):
    """The series of a worker with their labels, as OpenMetrics has them."""
    found = {}
    for kind, name in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M):
        if name in ("counter", "gauge"):
            found[kind + ("_total" if name == "counter" else "")] = set()
        else:
            for end in ("_bucket", "_sum", "_count"):
                found[kind + end] = {"le"} if end == "_bucket" else set()
    for name, labels in re.findall(r"^(\w+)\{([^\n]*)\} ", text, re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def texts():
    """All expressions: of panels, and of the lines behind `expr:` of rules."""
    panels = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    yield from (target["expr"] for panel in panels for target in panel.get("targets", []))
    for name in ("alerts.yaml", "recording.yaml"):
        text = (FILES / name).read_text(encoding="utf-8")
        yield from re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)(?=\n      - |\n        \w+:|\Z)", text)


def complaints(metrics):
    """What is asked for and not there."""
    found, wrong = served(metrics), []
    labels = set().union(*found.values()) | GIVEN
    for text in texts():
        bare = re.sub(r'"[^"]*"', '""', text)
        for name in re.findall(r"\b(?:watchfire|process)_[a-z_]+", bare):
            if name not in found:
                wrong.append(f"no series {name}")
        for name, asked in re.findall(r"\b((?:watchfire|process)_[a-z_]+)\{([^}]*)\}", bare):
            for label in re.findall(r'(\w+)[=!]', asked):
                # A series without samples so far shows no labels.
                if found.get(name) and label not in found[name] | GIVEN:
                    wrong.append(f"{name} has no label {label}")
        for names in re.findall(r"\b(?:by|without|on|group_left|group_right) \(([^)]*)\)", bare):
            wrong += [f"no label {n}" for n in re.findall(r"\w+", names) if n not in labels]
    return sorted(set(wrong))
