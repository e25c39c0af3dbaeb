"""Keeps a table of incidents as they stand, in SQLite.

Usage: consumer.py --topic watchfire.incidents [--bootstrap HOST:PORT] [--table incidents.sqlite]

It may be stopped, killed, or begin again from the start at any time: of two publications of an
incident the one with the higher revision is the incident as it stands, so reading one twice
changes nothing.
"""

import argparse
import json
import pathlib
import sqlite3
import sys

import confluent_kafka

from incidents import Decoder, messages, settings

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas"
TABLE = """
CREATE TABLE IF NOT EXISTS incident (
    incident_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL,
    severity INTEGER NOT NULL, rule_id TEXT NOT NULL, title TEXT NOT NULL,
    first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, body TEXT NOT NULL)
"""
COLUMNS = [
    "incident_id", "revision", "status", "severity", "rule_id", "title", "first_seen", "last_seen",
]
KEEP = f"""
INSERT INTO incident ({", ".join(COLUMNS)}, body) VALUES ({", ".join("?" * len(COLUMNS))}, ?)
ON CONFLICT (incident_id) DO UPDATE
SET {", ".join(f"{column} = excluded.{column}" for column in [*COLUMNS[1:], "body"])}
WHERE excluded.revision > incident.revision
"""


def keep(table, incident):
    """Puts a publication into the table, if it is newer than what is there."""
    row = [incident[column] for column in COLUMNS]
    table.execute(KEEP, [*row, json.dumps(incident)])


def open_table(path):
    table = sqlite3.connect(path)
    table.execute(TABLE)
    return table


def main(arguments):
    decoder = Decoder(arguments.schemas, arguments.registry)
    table = open_table(arguments.table)
    consumer = confluent_kafka.Consumer(settings(arguments.bootstrap, arguments.group))
    waiting = refused = 0
    for message in messages(consumer, arguments.topic, arguments.until_end):
        if message is not None:
            try:
                keep(table, decoder.read(message.value()))
            except (ValueError, KeyError) as error:
                place = f"{message.topic()}/{message.partition()}/{message.offset()}"
                print(f"{place}: passed over: {error}", file=sys.stderr)
                refused += 1
            waiting += 1
        # First the table, then the offsets: what is read twice harms nothing.
        if waiting and (message is None or waiting >= 1000):
            table.commit()
            consumer.commit(asynchronous=False)
            waiting = 0
    table.commit()
    consumer.close()
    return 1 if refused else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", help="brokers; default: EVENTHUBS_CONNECTION_STRING")
    parser.add_argument("--topic", default="watchfire.incidents")
    parser.add_argument("--group", default="incident-table")
    parser.add_argument("--table", default="incidents.sqlite")
    parser.add_argument("--schemas", default=SCHEMAS, help="folder of incident.avsc")
    parser.add_argument("--registry", help="of schemas, if incidents are written with one")
    parser.add_argument("--until-end", action="store_true", help="end where the topic ends")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parse()))
