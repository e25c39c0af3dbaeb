"""The examples for those who take incidents: they are whole, and use names that there are."""

import ast
import http.server
import importlib.util
import json
import os
import re
import sys
import threading
import types
import unittest

import jsonschema
import yaml

from tools import ROOT, node, read

EXAMPLES = ROOT / "deploy/examples"
AVRO = json.loads(read("schemas/incident.avsc"))
FIELDS = {field["name"]: field["type"] for field in AVRO["fields"]}


def sample():
    """The publication that docs/incidents.md shows."""
    text = read("docs/incidents.md").split("<!-- json -->")[1]
    return json.loads(re.search(r"```text\n(.*?)```", text, re.S).group(1))


def as_json_schema(avro):
    """What JSON has of a type of Avro, as a JSON Schema without words."""
    if isinstance(avro, list):
        kinds = [as_json_schema(kind) for kind in avro]
        types = [kind["type"] for kind in kinds]
        symbols = [symbol for kind in kinds for symbol in kind.get("enum", [])]
        enum = {"enum": [*symbols, None]} if symbols else {}
        return {"type": sorted(types), **enum}
    if isinstance(avro, str):
        names = {"int": "integer", "long": "integer", "double": "number"}
        return {"type": names.get(avro, avro)}
    if avro.get("logicalType") == "timestamp-millis":
        return {"type": "string", "format": "date-time"}
    kind = avro["type"]
    if kind == "enum":
        return {"type": "string", "enum": avro["symbols"]}
    if kind == "array":
        return {"type": "array", "items": as_json_schema(avro["items"])}
    if kind == "map":
        return {"type": "object", "additionalProperties": as_json_schema(avro["values"])}
    if kind == "record":
        names = [field["name"] for field in avro["fields"]]
        fields = {field["name"]: as_json_schema(field["type"]) for field in avro["fields"]}
        return {"type": "object", "required": names, "properties": fields}
    return as_json_schema(kind)


def without_words(part):
    """A JSON Schema without descriptions, and with types in order."""
    if isinstance(part, dict):
        left = {k: without_words(v) for k, v in part.items() if k != "description"}
        if isinstance(left.get("type"), list):
            left["type"] = sorted(left["type"])
        return left
    return [without_words(item) for item in part] if isinstance(part, list) else part


def load(path, name):
    """A module of the examples."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def webhook():
    """The notifier, without the clients of Kafka and Avro."""
    stand_in = types.ModuleType("incidents")
    stand_in.Decoder = stand_in.messages = stand_in.settings = None
    stand_ins = {"incidents": stand_in, "confluent_kafka": types.ModuleType("confluent_kafka")}
    there = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        return load("python/webhook.py", "webhook")
    finally:
        for name, module in there.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class AsyncApi(unittest.TestCase):
    def document(self):
        return yaml.safe_load(read("deploy/examples/asyncapi.yaml"))

    def test_its_parser_reads_it(self):
        said = node("asyncapi.mjs", json.dumps(self.document()))
        self.assertEqual(said.split(), ["watchfire.dead-letters", "watchfire.incidents"])

    def test_an_incident_is_what_the_avro_schema_says(self):
        payload = self.document()["components"]["schemas"]["incident"]
        self.assertEqual(without_words(payload), as_json_schema(AVRO))

    def test_it_describes_what_is_written(self):
        components = self.document()["components"]
        incident = components["schemas"]["incident"]
        jsonschema.validate(sample(), incident)
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate({**sample(), "status": "OPENED"}, incident)
        headers = components["schemas"]["incidentHeaders"]["properties"]
        text = read("docs/incidents.md").split("- **Headers**")[1].split("- **T")[0]
        names = r"`(ce_\w+|rule|severity|status|revision|content-type)`"
        written = set(re.findall(names, text))
        self.assertEqual(set(headers), written)

    def test_dead_letters_have_the_headers_of_the_documentation(self):
        headers = self.document()["components"]["schemas"]["deadLetterHeaders"]["properties"]
        table = read("docs/dead-letters.md").split("| header | holds |")[1].split("\n\n")[0]
        cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
        written = {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}
        self.assertEqual(set(headers), written)
        reasons = headers["reason"]["enum"]
        table = read("docs/dead-letters.md").split("| reason | means |")[1].split("\n\n")[0]
        self.assertEqual(reasons, re.findall(r"^\| `([\w-]+)` \|", table, re.M))

    def test_its_version_is_that_of_the_program(self):
        version = re.search(r'^version = "(.*)"', read("Cargo.toml"), re.M).group(1)
        self.assertEqual(self.document()["info"]["version"], version)


class Connect(unittest.TestCase):
    def test_connectors_are_whole_and_have_no_secrets(self):
        for file in ["elasticsearch.json", "splunk.json"]:
            config = json.loads(read(f"deploy/examples/connect/{file}"))["config"]
            self.assertTrue(config["topics"])
            self.assertEqual(config["consumer.override.isolation.level"], "read_committed")
            self.assertEqual(config["value.converter.schemas.enable"], "false")
            for key, value in config.items():
                if re.search(r"password|token", key):
                    self.assertTrue(value.startswith("${file:"), key)

    def test_the_pipeline_takes_fields_that_there_are(self):
        pipeline = json.loads(read("deploy/examples/connect/elasticsearch-pipeline.json"))
        taken = [p["set"]["copy_from"] for p in pipeline["processors"] if "copy_from" in p["set"]]
        self.assertGreater(len(taken), 10)
        for name in taken:
            self.assertIn(name.split(".")[0], FIELDS)


class LogicApp(unittest.TestCase):
    def definition(self):
        return json.loads(read("deploy/examples/azure/logic-app/workflow.json"))["definition"]

    def test_its_actions_follow_one_another_and_take_fields_that_there_are(self):
        definition = self.definition()
        self.assertEqual(list(definition["triggers"]), ["Incidents"])

        def walk(actions):
            for name, action in actions.items():
                self.assertIn("type", action, name)
                for before in action["runAfter"]:
                    self.assertIn(before, actions, name)
                walk(action.get("actions", {}))
                walk(action.get("else", {}).get("actions", {}))

        walk(definition["actions"])
        text = json.dumps(definition)
        taken = set(re.findall(r"body\('Incident'\)\?\['(\w+)'\]", text))
        self.assertGreater(len(taken), 5)
        self.assertLessEqual(taken, set(FIELDS))
        for parameter in re.findall(r"parameters\('([$\w]+)'\)", text):
            self.assertIn(parameter, definition["parameters"])

    def test_it_takes_what_is_written(self):
        parse = self.definition()["actions"]["Incident"]["inputs"]["schema"]
        jsonschema.validate(sample(), parse)
        self.assertLessEqual(set(parse["properties"]), set(FIELDS))


class Function(unittest.TestCase):
    def module(self):
        """The function, with stand-ins for Azure's packages."""
        functions = types.ModuleType("azure.functions")

        class App:
            def event_hub_message_trigger(self, **_):
                return lambda function: function

        functions.FunctionApp, functions.EventHubEvent = App, object
        identity = types.ModuleType("azure.identity")
        identity.DefaultAzureCredential = object
        ingestion = types.ModuleType("azure.monitor.ingestion")
        sent = []

        class Client:
            def __init__(self, endpoint, credential):
                pass

            def upload(self, rule_id, stream_name, logs):
                sent.extend(logs)

        ingestion.LogsIngestionClient = Client
        azure = types.ModuleType("azure")
        azure.functions = functions
        sys.modules.update({
            "azure": azure,
            "azure.functions": functions,
            "azure.identity": identity,
            "azure.monitor": types.ModuleType("azure.monitor"),
            "azure.monitor.ingestion": ingestion,
        })
        return load("azure/function/function_app.py", "function_app"), sent

    def test_it_makes_rows_and_leaves_out_what_is_no_incident(self):
        module, sent = self.module()
        for name in ["ENDPOINT", "RULE", "STREAM"]:
            os.environ[f"INGESTION_{name}"] = "x"
        bad = [b"\xc3\x01", b"[]", b"{}"]
        bodies = [json.dumps(sample()).encode(), *bad]
        events = [types.SimpleNamespace(get_body=lambda body=body: body) for body in bodies]
        with self.assertLogs(level="ERROR") as logged:
            module.incidents(events)
        self.assertEqual(len(logged.output), len(bad))
        self.assertEqual([row["IncidentId"] for row in sent], [sample()["incident_id"]])

    def test_its_settings_are_whole(self):
        host = json.loads(read("deploy/examples/azure/function/host.json"))
        self.assertEqual(host["version"], "2.0")
        text = read("deploy/examples/azure/function/function_app.py")
        needed = set(read("deploy/examples/azure/function/requirements.txt").split())
        used = set()
        for statement in ast.walk(ast.parse(text)):
            if isinstance(statement, ast.ImportFrom):
                used.add(statement.module)
            elif isinstance(statement, ast.Import):
                used |= {name.name for name in statement.names}
        self.assertEqual({m.replace(".", "-") for m in used if m.startswith("azure")}, needed)


class Webhook(unittest.TestCase):
    def test_what_is_news(self):
        news = webhook().news

        def of(told, status, revision=5, severity=6):
            incident = {"status": status, "revision": revision, "severity": severity}
            return news(told, incident, 5)

        table = [
            # (what was told, status, severity) -> what is told now
            (None, "OPEN", 6, ["open"]),
            (None, "UPDATED", 6, ["open"]),
            (None, "OPEN", 4, []),
            (None, "CLOSED", 6, ["open", "close"]),
            (None, "RETRACTED", 6, []),
            ((4, "OPEN", 6), "UPDATED", 6, ["update"]),
            ((4, "OPEN", 6), "UPDATED", 9, ["worse"]),
            ((4, "UPDATED", 6), "CLOSED", 6, ["close"]),
            ((4, "OPEN", 6), "RETRACTED", 6, ["close"]),
            ((4, "CLOSED", 6), "CLOSED", 6, []),
            ((4, "CLOSED", 6), "RETRACTED", 6, []),
            ((4, "CLOSED", 6), "UPDATED", 6, ["open"]),
            # An incident that was told stays told, whatever becomes of its severity.
            ((4, "OPEN", 6), "CLOSED", 3, ["close"]),
            # What comes twice, or late.
            ((5, "OPEN", 6), "OPEN", 6, []),
            ((7, "CLOSED", 6), "OPEN", 6, []),
        ]
        for told, status, severity, expected in table:
            self.assertEqual(of(told, status, severity=severity), expected, (told, status))
        tried = {"status": "OPEN", "revision": 5, "severity": 9, "test": True}
        self.assertEqual(news(None, tried, 5), [])

    def test_texts_of_others_do_nothing(self):
        module = webhook()
        hostile = "[x](http://evil) <b>**a**\x1b[31m\u202egpj.exe " + "y" * 5000
        incident = {**sample(), "title": hostile, "attributes": {hostile: hostile, "none": None}}
        for form in (module.teams, module.pagerduty):
            body = json.dumps(form("open", incident), ensure_ascii=False)
            self.assertNotIn("\x1b", body)
            self.assertNotIn("\u202e", body)
            self.assertLess(len(body), 20_000)
        card = json.dumps(module.teams("open", incident))
        self.assertNotIn("[x](http", card)
        self.assertNotIn("**a**", card)

    def test_pagerduty_finds_an_incident_again(self):
        module = webhook()
        opened, closed = module.pagerduty("open", sample()), module.pagerduty("close", sample())
        self.assertEqual(opened["dedup_key"], sample()["incident_id"])
        self.assertEqual(closed["dedup_key"], opened["dedup_key"])
        self.assertEqual([opened["event_action"], closed["event_action"]], ["trigger", "resolve"])
        self.assertIn(opened["payload"]["severity"], {"critical", "error", "warning", "info"})
        self.assertEqual(module.teams("update", sample()), None)

    def test_a_busy_receiver_is_waited_for(self):
        module, answers, got = webhook(), [503, 429, 200, 400], []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(answers[len(got) - 1])
                self.send_header("Retry-After", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        self.assertTrue(module.post(url, {"a": 1}))
        self.assertEqual(got, [b'{"a": 1}'] * 3)
        self.assertFalse(module.post(url, {"a": 2}))
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    unittest.main()
