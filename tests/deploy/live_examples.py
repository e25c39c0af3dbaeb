"""Runs the examples for those who take incidents on a topic of a real Kafka.

Usage: live_examples.py BOOTSTRAP TOPIC

Holds the consumer's table, and what the notifier tells a receiver of its own, against what stands
in the topic. Both are run twice: the second time must change and tell nothing.
"""

import http.server
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import uuid

import confluent_kafka

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "deploy/examples/python"
sys.path.insert(0, str(EXAMPLES))

from incidents import MARKER, Decoder, messages, settings  # noqa: E402


def published(bootstrap, topic):
    """Everything that stands in the topic, as the examples' own decoder reads it."""
    decoder = Decoder(ROOT / "schemas")
    consumer = confluent_kafka.Consumer(settings(bootstrap, f"all-{uuid.uuid4()}"))
    read = [decoder.read(m.value()) for m in messages(consumer, topic, True) if m is not None]
    consumer.close()
    return read


def standing(publications):
    """Incidents as they stand: the greatest revision of each."""
    found = {}
    for incident in publications:
        known = found.get(incident["incident_id"])
        if known is None or known["revision"] < incident["revision"]:
            found[incident["incident_id"]] = incident
    return found


def check_registry(bootstrap, topic):
    """What a registry knows by an id is read as well: one message, as a worker with one writes it."""
    asked = []

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            schema = (ROOT / "schemas/incident.avsc").read_text(encoding="utf-8")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"schema": schema}).encode("utf-8"))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    decoder = Decoder(ROOT / "schemas", f"http://127.0.0.1:{server.server_port}/")
    consumer = confluent_kafka.Consumer(settings(bootstrap, f"all-{uuid.uuid4()}"))
    values = [m.value() for m in messages(consumer, topic, True) if m is not None]
    consumer.close()
    for value in [value for value in values if value[:2] == MARKER]:
        with_id = b"\0" + (7).to_bytes(4, "big") + value[10:]
        assert decoder.read(with_id) == decoder.read(value)
    assert asked == ["/schemas/ids/7"], asked
    server.shutdown()


def run(script, bootstrap, topic, *more, **environment):
    arguments = ["--bootstrap", bootstrap, "--topic", topic, "--until-end", *map(str, more)]
    done = subprocess.run(
        [sys.executable, "-B", EXAMPLES / script, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_consumer(bootstrap, topic, folder, expected):
    table = folder / "incidents.sqlite"
    # The second one begins again from the start, as one does whose offsets were lost.
    for group in ("first", "second"):
        run("consumer.py", bootstrap, topic, "--table", table, "--group", f"{topic}-{group}")
        rows = sqlite3.connect(table).execute("SELECT incident_id, revision, status, body FROM incident")
        found = {row[0]: row for row in rows}
        assert set(found) == set(expected)
        for name, incident in expected.items():
            assert found[name][1:3] == (incident["revision"], incident["status"])
            assert json.loads(found[name][3]) == incident


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is told; now and then it is busy."""

    told = []
    asked = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Receiver.asked += 1
        busy = Receiver.asked % 3 == 1
        if not busy:
            Receiver.told.append(body)
        self.send_response(503 if busy else 202)
        self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def check_webhook(bootstrap, topic, folder, expected):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    told = {name: i for name, i in expected.items() if not i.get("test")}
    wanted = {name for name, i in told.items() if i["severity"] >= 5}
    for to in ("pagerduty", "teams"):
        Receiver.told = []
        for group in ("first", "second"):
            before = len(Receiver.told)
            run(
                "webhook.py", bootstrap, topic, "--to", to, "--memory", folder / f"{to}.sqlite",
                "--group", f"{topic}-{to}-{group}", WEBHOOK_URL=url, WEBHOOK_KEY="key",
            )
            assert group == "first" or len(Receiver.told) == before, "something was told twice"
        if to == "pagerduty":
            check_alerts(Receiver.told, expected, wanted)
        else:
            text = [json.dumps(body) for body in Receiver.told]
            for name in wanted:
                assert any(name in body for body in text), name
    server.shutdown()


def check_alerts(told, expected, wanted):
    """Each incident is one alert, and is open or not as it stands."""
    assert {event["dedup_key"] for event in told} == wanted
    for name in wanted:
        actions = [e["event_action"] for e in told if e["dedup_key"] == name]
        assert actions[0] == "trigger", (name, actions)
        over = expected[name]["status"] in ("CLOSED", "RETRACTED")
        assert (actions[-1] == "resolve") == over, (name, actions)


def main(bootstrap, topic):
    publications = published(bootstrap, topic)
    expected = standing(publications)
    assert expected, "there is no incident"
    with tempfile.TemporaryDirectory() as folder:
        check_registry(bootstrap, topic)
        check_consumer(bootstrap, topic, pathlib.Path(folder), expected)
        check_webhook(bootstrap, topic, pathlib.Path(folder), expected)
    statuses = sorted({i["status"] for i in publications})
    print(f"{len(publications)} publications of {len(expected)} incidents: {' '.join(statuses)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
