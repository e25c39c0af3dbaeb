"""Writes the messages of a topic into files as Event Hubs Capture does.

Usage: write_capture.py BOOTSTRAP TOPIC FOLDER

FOLDER/namespace/TOPIC/PARTITION/2026/03/01/09/MM/00.avro: a few hundred messages a file, the codecs
in turn, and for each partition a file without any, as Capture writes in a quiet window.
"""

import datetime
import itertools
import pathlib
import sys

import fastavro

from dump_topics import messages

SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "EventData",
        "namespace": "Microsoft.ServiceBus.Messaging",
        "fields": [
            {"name": "SequenceNumber", "type": "long"},
            {"name": "Offset", "type": "string"},
            {"name": "EnqueuedTimeUtc", "type": "string"},
            {
                "name": "SystemProperties",
                "type": {"type": "map", "values": ["long", "double", "string", "bytes"]},
            },
            {
                "name": "Properties",
                "type": {"type": "map", "values": ["long", "double", "string", "bytes", "null"]},
            },
            {"name": "Body", "type": ["null", "bytes"]},
        ],
    }
)
FILE_MESSAGES = 50


def main(bootstrap, topic, folder):
    partitions = {}
    for message in messages(bootstrap.split(","), [topic]):
        partitions.setdefault(message.partition, []).append(message)
    codecs = itertools.cycle(["null", "deflate", "snappy"])
    for partition, found in sorted(partitions.items()):
        place = pathlib.Path(folder, "namespace", topic, str(partition), "2026/03/01/09")
        starts = range(0, len(found) + FILE_MESSAGES, FILE_MESSAGES)
        for minute, start in enumerate(starts):
            file = place / f"{minute:02}" / "00.avro"
            file.parent.mkdir(parents=True)
            with open(file, "wb") as out:
                records = map(captured, found[start : start + FILE_MESSAGES])
                fastavro.writer(out, SCHEMA, records, codec=next(codecs))


def captured(message):
    time = datetime.datetime.fromtimestamp(message.timestamp / 1000, datetime.timezone.utc)
    hour = time.hour % 12 or 12
    half = "AM" if time.hour < 12 else "PM"
    return {
        "SequenceNumber": message.offset,
        "Offset": str(message.offset * 1000),
        "EnqueuedTimeUtc": f"{time.month}/{time.day}/{time.year} {hour}:{time:%M:%S} {half}",
        "SystemProperties": {"x-opt-enqueued-time": message.timestamp},
        "Properties": {},
        "Body": message.value,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
