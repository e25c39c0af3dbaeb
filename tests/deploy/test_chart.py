"""The Helm chart: what it makes is what Kubernetes, the operators and the worker take."""

import json
import pathlib
import sys
import tempfile
import tomllib
import unittest

import jsonschema
import yaml

import chart_schema
from tools import CHART, ROOT, need, node, read, run, schema

VALUES = ROOT / "tests/deploy/values"
# The oldest version that the chart allows, and a new one.
VERSIONS = ["1.27", "1.37"]
CASES = {"defaults": [], "event-hubs": ["event-hubs.yaml"], "kafka": ["kafka.yaml"]}


def helm_template(files, *sets, version="1.37"):
    command = [need("helm"), "template", "wf", CHART, "--namespace", "soc"]
    command += ["--kube-version", f"{version}.0"]
    for file in files:
        command += ["--values", VALUES / file]
    for value in sets:
        command += ["--set", value]
    return run(*command)


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(files, kind, *sets):
    found = [d for d in documents(helm_template(files, *sets)) if d["kind"] == kind]
    assert found, f"no {kind}"
    return found


def config(files):
    maps = of_kind(files, "ConfigMap")
    texts = [m["data"]["watchfire.toml"] for m in maps if "watchfire.toml" in m["data"]]
    return tomllib.loads(texts[0])


class Chart(unittest.TestCase):
    def test_helm_has_no_complaint(self):
        for name, files in CASES.items():
            values = [part for file in files for part in ("--values", VALUES / file)]
            with self.subTest(name):
                run(need("helm"), "lint", "--strict", CHART, "--kube-version", "1.37.0", *values)

    def test_kubernetes_takes_what_it_makes(self):
        for name, files in CASES.items():
            for version in VERSIONS:
                with self.subTest(name, version=version), tempfile.TemporaryDirectory() as folder:
                    file = pathlib.Path(folder) / "all.yaml"
                    file.write_text(helm_template(files, version=version), encoding="utf-8")
                    validator = [sys.executable, "-m", "kubernetes_validate"]
                    run(*validator, "--strict", "--kubernetes-version", version, file)

    def test_operators_take_what_it_makes(self):
        made = documents(helm_template(CASES["event-hubs"]))
        said = node("custom_resources.mjs", json.dumps(made))
        self.assertEqual(said.split(), ["PrometheusRule", "ScaledObject", "ServiceMonitor"])

    def test_the_configuration_is_valid(self):
        for name, files in CASES.items():
            with self.subTest(name):
                jsonschema.validate(config(files), schema("config.schema.json"))
        made = config(CASES["event-hubs"])
        self.assertEqual(made["app"], "soc")
        self.assertEqual(made["threads"], 2)
        self.assertEqual(made["incidents"], {"encoding": "json"})
        self.assertEqual(made["kafka"]["bootstrap.servers"][:8], "example.")
        self.assertEqual(made["rules"], ["/etc/watchfire/rules/azure", "/etc/watchfire/own"])

    def test_the_worker_takes_the_configuration(self):
        program = need("watchfire")
        for name, files in CASES.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                made = helm_template(files)
                maps = [d for d in documents(made) if d["kind"] == "ConfigMap"]
                data = {key: text for m in maps for key, text in m["data"].items()}
                (folder / "token").write_text("secret", encoding="utf-8")
                for part in ["rules", "lists"]:
                    (folder / "own" / part).mkdir(parents=True)
                text = data["watchfire.toml"].replace("/etc/watchfire/http", str(folder))
                text = text.replace("/etc/watchfire/own", str(folder / "own"))
                text = text.replace("/etc/watchfire/rules", str(ROOT / "rules"))
                (folder / "watchfire.toml").write_text(text, encoding="utf-8")
                mount(folder / "own/rules", {k: v for k, v in data.items() if k == "own.yaml"})
                mount(folder / "own/lists", {k: v for k, v in data.items() if k == "Admins.txt"})
                settings = ["--config", folder / "watchfire.toml", "--brokers", "localhost:9092"]
                run(program, "config", "check", *settings)
                paths = tomllib.loads(text)["rules"]
                run(program, "rules", "check", *paths)

    def test_unknown_or_wrong_values_are_refused(self):
        wrong = [
            "config.aap=x",
            "config.patience=5",
            "config.delivery=twice",
            "config.http.listen=0.0.0.0:1",
            "replica=3",
            "keda.minReplicas=0",
            "state.size=much",
            "topicsJob.command=delete",
            "rules.files.readme=x",
        ]
        for value in wrong:
            with self.subTest(value), self.assertRaises(AssertionError):
                helm_template([], value)

    def test_its_schema_has_the_keys_of_the_configuration(self):
        self.assertEqual(chart_schema.VALUES.read_text(encoding="utf-8"), chart_schema.wanted())

    def test_each_value_is_in_the_schema_and_each_of_the_schema_has_a_value(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
        known = json.loads(chart_schema.VALUES.read_text(encoding="utf-8"))["properties"]
        self.assertEqual(set(values) | {"global"}, set(known))

    def test_no_pod_is_root_or_writes_to_its_root(self):
        for files in CASES.values():
            for made in documents(helm_template(files)):
                if made["kind"] not in ("StatefulSet", "Job"):
                    continue
                pod = made["spec"]["template"]["spec"]
                self.assertEqual(pod["securityContext"]["runAsUser"], 10001)
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertFalse(pod["automountServiceAccountToken"])
                for container in pod["containers"]:
                    context = container["securityContext"]
                    self.assertTrue(context["readOnlyRootFilesystem"])
                    self.assertFalse(context["allowPrivilegeEscalation"])
                    self.assertEqual(context["capabilities"]["drop"], ["ALL"])
                    self.assertIn("memory", container["resources"]["limits"])

    def test_a_worker_is_known_by_its_pod_and_has_its_own_state(self):
        made = of_kind(CASES["event-hubs"], "StatefulSet")[0]
        pod = made["spec"]["template"]["spec"]
        worker = pod["containers"][0]
        names = {e["name"]: e for e in worker["env"]}
        field = names["WATCHFIRE_KAFKA_GROUP_INSTANCE_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
        self.assertEqual(field, "metadata.name")
        self.assertEqual(made["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "state")
        self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], 15)
        self.assertEqual(worker["livenessProbe"]["httpGet"]["path"], "/healthz")
        self.assertEqual(worker["readinessProbe"]["httpGet"]["path"], "/readyz")
        self.assertNotIn("replicas", made["spec"], "the autoscaler says how many")
        labels = made["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(labels["azure.workload.identity/use"], "true")

    def test_secrets_are_files_or_references(self):
        for files in CASES.values():
            text = helm_template(files)
            for made in documents(text):
                if made["kind"] == "StatefulSet":
                    env = made["spec"]["template"]["spec"]["containers"][0].get("env", [])
                    for variable in env:
                        secret = "PASSWORD" in variable["name"] or "TOKEN" in variable["name"]
                        self.assertFalse(secret and "value" in variable, variable["name"])
        pod = of_kind(CASES["kafka"], "StatefulSet")[0]["spec"]["template"]["spec"]
        env = {e["name"]: e.get("value") for e in pod["containers"][0]["env"]}
        path = env["EVENTHUBS_CONNECTION_STRING_FILE"]
        mounts = [m["mountPath"] for m in pod["containers"][0]["volumeMounts"]]
        self.assertTrue(any(path.startswith(f"{mount}/") for mount in mounts))

    def test_every_mount_has_its_volume(self):
        for files in CASES.values():
            for made in documents(helm_template(files)):
                if made["kind"] in ("StatefulSet", "Job"):
                    spec = made["spec"]
                    pod = spec["template"]["spec"]
                    claims = spec.get("volumeClaimTemplates", [])
                    volumes = [v["name"] for v in pod["volumes"]]
                    volumes += [c["metadata"]["name"] for c in claims]
                    mounted = [m["name"] for c in pod["containers"] for m in c["volumeMounts"]]
                    self.assertEqual(sorted(volumes), sorted(mounted))

    def test_the_version_is_that_of_the_program(self):
        package = tomllib.loads(read("Cargo.toml"))["package"]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
        self.assertEqual(chart["appVersion"], package["version"])


def mount(folder, files):
    """Lays files as a mounted ConfigMap has them: links into a folder that is swapped whole."""
    if not files:
        return
    data = folder / "..2026_01_01"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text, encoding="utf-8")
    (folder / "..data").symlink_to(data.name)
    for name in files:
        (folder / name).symlink_to(f"..data/{name}")


if __name__ == "__main__":
    unittest.main()
