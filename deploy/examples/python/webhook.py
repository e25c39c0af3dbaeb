"""Tells Teams or PagerDuty of incidents: when they open, get worse, end, or turn out to be none.

Usage: webhook.py --to teams|pagerduty --topic watchfire.incidents [--bootstrap HOST:PORT]

The address (Teams: that of a workflow "When a Teams webhook request is received") is in the
environment as WEBHOOK_URL, PagerDuty's key in WEBHOOK_KEY. What was told is kept in a file, so that
a restart tells nothing twice but what was being told when it ended.

In PagerDuty an incident is one alert: it is found again by `dedup_key`, which is the incident's id.
In Teams a message cannot be changed from outside: each names the id.
"""

import argparse
import json
import os
import pathlib
import re
import sqlite3
import sys
import time
import urllib.error
import urllib.request

import confluent_kafka

from incidents import Decoder, messages, settings

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas"
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
# Attempts at one message while the other side is busy or away; then the program ends, and goes on
# with the same message when it is started again.
ATTEMPTS = 8
# Statuses after which an incident is not open any more.
OVER = ("CLOSED", "RETRACTED")


class Memory:
    """What was told of which incident: its revision, status and severity."""

    def __init__(self, path):
        self.table = sqlite3.connect(path)
        self.table.execute(
            "CREATE TABLE IF NOT EXISTS told (incident_id TEXT PRIMARY KEY, revision INTEGER,"
            " status TEXT, severity INTEGER, last_seen TEXT)"
        )

    def of(self, incident_id):
        rows = self.table.execute(
            "SELECT revision, status, severity FROM told WHERE incident_id = ?", [incident_id]
        )
        return rows.fetchone()

    def keep(self, incident):
        columns = ["incident_id", "revision", "status", "severity", "last_seen"]
        row = [incident[column] for column in columns]
        self.table.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)", row)
        self.table.commit()


def news(told, incident, severity_min):
    """What is to be told of a publication, in this order: open, update, worse, close."""
    if incident.get("test"):
        # Of a rule that is being tried: somebody else looks at it.
        return []
    if told is None:
        status = incident["status"]
        if status == "RETRACTED" or incident["severity"] < severity_min:
            return []
        # What is over when it is first heard of is an incident all the same.
        return ["open", "close"] if status == "CLOSED" else ["open"]
    revision, status, severity = told
    if incident["revision"] <= revision:
        return []
    was_open = status not in OVER
    if incident["status"] in OVER:
        return ["close"] if was_open else []
    if not was_open:
        return ["open"]
    return ["worse" if incident["severity"] > severity else "update"]


# Characters that act on who shows them: controls, and those that turn the direction of text.
ACTING = r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def shown(text, limit=300):
    """A text of others, so that it does nothing but be shown. Null is empty."""
    text = re.sub(ACTING, " ", "" if text is None else str(text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def unmarked(text, limit=300):
    """The same for Teams, which reads Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~-])", r"\\\1", shown(text, limit))


def teams(kind, incident):
    """A card: https://adaptivecards.io, as workflows of Teams take it. None: not worth one."""
    if kind == "update":
        return None
    words = {"open": "Opened", "worse": "Got worse", "close": "Closed"}[kind]
    if incident["status"] == "RETRACTED":
        words = "Was none"
    facts = {
        "Severity": f"{incident['severity']} ({incident['severity_band']})",
        "Rule": incident["rule_id"],
        "From": incident["first_seen"],
        "To": incident["last_seen"],
        "Events": incident["event_count"],
        **incident["attributes"],
        "Id": incident["incident_id"],
    }
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock",
                "size": "Medium",
                "weight": "Bolder",
                "wrap": True,
                "color": "Good" if kind == "close" else "Attention",
                "text": f"{words}: {unmarked(incident['title'])}",
            },
            {
                "type": "FactSet",
                "facts": [
                    {"title": unmarked(name, 60), "value": unmarked(value)}
                    for name, value in list(facts.items())[:20]
                ],
            },
        ],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "content": card}]}


def pagerduty(kind, incident):
    """An event of PagerDuty's Events API v2."""
    event = {
        "routing_key": os.environ.get("WEBHOOK_KEY", ""),
        "event_action": "resolve" if kind == "close" else "trigger",
        "dedup_key": incident["incident_id"],
    }
    if kind != "close":
        severity = incident["severity"]
        level = "critical" if severity >= 9 else "error" if severity >= 5 else "warning"
        event["payload"] = {
            "summary": shown(incident["title"], 1000),
            "source": shown(next(iter(incident["target"].values()), "Azure")),
            "severity": level,
            "timestamp": incident["first_seen"],
            "group": incident["rule_id"],
            "class": incident["category"],
            "custom_details": {
                "revision": incident["revision"],
                "status": incident["status"],
                "events": incident["event_count"],
                "techniques": incident["techniques"],
                "attributes": {
                    shown(name, 60): shown(value) for name, value in incident["attributes"].items()
                },
            },
        }
    return event


FORMS = {"teams": teams, "pagerduty": pagerduty}


def post(url, body):
    """Sends a body; waits while the other side is busy. False: it does not take this one."""
    data = json.dumps(body).encode("utf-8")
    for attempt in range(ATTEMPTS):
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/json"}, method="POST"
        )
        pause = min(2**attempt, 60)
        try:
            with urllib.request.urlopen(request, timeout=30):
                return True
        except urllib.error.HTTPError as error:
            if error.code != 429 and error.code < 500:
                print(f"refused with {error.code}", file=sys.stderr)
                return False
            after = error.headers.get("Retry-After", "")
            pause = min(int(after), 300) if after.isdigit() else pause
        except (urllib.error.URLError, TimeoutError):
            pass
        if attempt + 1 < ATTEMPTS:
            time.sleep(pause)
    # The address is a secret: it is not said.
    sys.exit("the webhook does not answer; the message is told again after the next start")


def main(arguments):
    decoder, memory = Decoder(arguments.schemas, arguments.registry), Memory(arguments.memory)
    url = os.environ.get("WEBHOOK_URL") or (PAGERDUTY if arguments.to == "pagerduty" else None)
    if url is None:
        sys.exit("WEBHOOK_URL is not set")
    consumer = confluent_kafka.Consumer(settings(arguments.bootstrap, arguments.group))
    refused = 0
    for message in messages(consumer, arguments.topic, arguments.until_end):
        if message is None:
            continue
        try:
            incident = decoder.read(message.value())
        except ValueError as error:
            print(f"{message.partition()}/{message.offset()}: {error}", file=sys.stderr)
            refused += 1
        else:
            told = memory.of(incident["incident_id"])
            kinds = news(told, incident, arguments.severity)
            for body in [FORMS[arguments.to](kind, incident) for kind in kinds]:
                refused += body is not None and not post(url, body)
            if kinds or (told is not None and incident["revision"] > told[0]):
                memory.keep(incident)
        consumer.commit(message=message, asynchronous=False)
    consumer.close()
    return 1 if refused else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", choices=sorted(FORMS), required=True)
    parser.add_argument("--severity", type=int, default=5, help="the least that is told; 1 to 10")
    parser.add_argument("--bootstrap", help="brokers; default: EVENTHUBS_CONNECTION_STRING")
    parser.add_argument("--topic", default="watchfire.incidents")
    parser.add_argument("--group", default="incident-webhook")
    parser.add_argument("--memory", default="told.sqlite")
    parser.add_argument("--schemas", default=SCHEMAS, help="folder of incident.avsc")
    parser.add_argument("--registry", help="of schemas, if incidents are written with one")
    parser.add_argument("--until-end", action="store_true", help="end where the topic ends")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parse()))
