"""Runs what the quick starts say, block by block.

Usage: quickstart.py kafka PROGRAM BOOTSTRAP NAME    on a real Kafka; NAME: of topics and application
       quickstart.py eventhubs PROGRAM               what of it asks no broker

Blocks marked `<!-- run: .. -->` are run as they stand. What stands between them (a broker, a worker in
another terminal, tools of Kafka's) is done here in another way.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import live_metrics

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = "insights-activity-logs"
LIMIT_SECONDS = 60


def blocks(kind):
    """The marked blocks of a quick start, in order."""
    name = {"kafka": "kafka", "eventhubs": "event-hubs"}[kind]
    text = (ROOT / f"docs/quickstart-{name}.md").read_text(encoding="utf-8")
    return re.findall(rf"<!-- run: {kind} -->\n\n```sh\n(.*?)```", text, re.S)


def shell(script, folder, environment):
    """Runs a script, of which every command must succeed; says what it wrote."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{script}\nends with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def prepare(folder, program):
    """A folder like that of an unpacked release, and an environment that finds the program."""
    folder = pathlib.Path(folder)
    (folder / "rules").symlink_to(ROOT / "rules")
    (folder / "bin").mkdir()
    (folder / "bin/watchfire").symlink_to(pathlib.Path(program).resolve())
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("WATCHFIRE_", "EVENTHUBS_"))}
    return folder, {**ours, "PATH": f"{folder}/bin:{os.environ['PATH']}"}


def kafka(program, bootstrap, name):
    import confluent_kafka
    from confluent_kafka.admin import AdminClient, NewTopic

    brokers, config, topics, ready, generate, tail, backtest = blocks("kafka")
    source, port = f"{name}-source", free_port()

    def adapted(block):
        return block.replace(SOURCE, source).replace("127.0.0.1:9464", f"127.0.0.1:{port}")

    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(source, 4)])[source].result(LIMIT_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = prepare(folder, program)
        environment |= {"BROKERS": bootstrap, "WATCHFIRE_APP": name}
        shell(brokers + adapted(config), folder, environment)
        shell(topics, folder, environment)
        worker = subprocess.Popen(
            ["watchfire", "run", "--config", "watchfire.toml"],
            cwd=folder, env=environment, stderr=subprocess.DEVNULL, executable=program,
        )
        try:
            wait_until_ready(port)
            assert "watchfire_ready 1" in shell(adapted(ready), folder, environment)
            shell(generate, folder, environment)
            producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
            # One that is refused, so that all there is to be seen is seen.
            events = (folder / "events.ndjson").read_bytes().splitlines()
            for line in [b"{ no json", *events]:
                producer.produce(source, line)
                producer.poll(0)
            assert producer.flush(LIMIT_SECONDS) == 0
            deadline = time.monotonic() + LIMIT_SECONDS
            while "OPEN" not in (said := shell(tail, folder, environment)):
                assert time.monotonic() < deadline, f"no incident came: {said}"
                time.sleep(0.5)
            check_metrics(port)
        finally:
            worker.terminate()
            assert worker.wait(LIMIT_SECONDS) == 0
        shell(adapted(backtest), folder, environment)
        found = (folder / "incidents.ndjson").read_text(encoding="utf-8").splitlines()
        assert found and (folder / "report.html").stat().st_size > 0
        print(f"{len(found)} incidents, as the quick start says")


def check_metrics(port):
    """The dashboard and alerts name what this worker serves."""
    # What was refused may be counted a little later than incidents come.
    deadline = time.monotonic() + LIMIT_SECONDS
    wrong = ["nothing was asked"]
    while wrong:
        assert time.monotonic() < deadline, wrong
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            metrics = answer.read().decode("utf-8")
        wrong = live_metrics.complaints(metrics)
        time.sleep(0.5)
    # That it would notice.
    less = metrics.replace("watchfire_ready", "watchfire_raedy").replace("reason=", "cause=")
    assert "no series watchfire_ready" in live_metrics.complaints(less)


def wait_until_ready(port):
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    sys.exit("the worker does not get ready")


def eventhubs(program):
    config, create = blocks("eventhubs")
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = prepare(folder, program)
        environment["EVENTHUBS_CONNECTION_STRING"] = (
            "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=YQ=="
        )
        shell(config, folder, environment)
        said = shell(create, folder, environment)
        for topic in ["matches", "rules", "incidents", "dead-letters"]:
            assert f"--name watchfire.{topic} " in said, said
        hours = re.findall(r"--retention-time-in-hours (\d+)", said)
        assert all(int(number) <= 168 for number in hours), said
        print("as the quick start says")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    {"kafka": kafka, "eventhubs": eventhubs}[sys.argv[1]](*sys.argv[2:])
