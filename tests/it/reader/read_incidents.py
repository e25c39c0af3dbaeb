"""Reads a topic of Avro single-object messages with a client and an Avro library not our own.

Usage: read_incidents.py BOOTSTRAP TOPIC SCHEMA_FILE

Reads every partition from its beginning to its end as a read_committed consumer and prints one
JSON object a line: partition, offset, key, headers, value. A message that is not what the schema
says ends it with an error.
"""

import base64
import datetime
import io
import json
import sys
import time
import uuid

import confluent_kafka
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

MARKER = b"\xc3\x01"
LIMIT_SECONDS = 60


def main(bootstrap, topic, schema_file):
    with open(schema_file, encoding="utf-8") as file:
        raw_schema = json.load(file)
    canonical = to_parsing_canonical_form(raw_schema)
    # Eight bytes, as the Avro specification orders them: little-endian.
    header = MARKER + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
    schema = fastavro.parse_schema(raw_schema)
    for message in messages(bootstrap, topic):
        where = f"{topic} partition {message.partition()} offset {message.offset()}"
        row = {
            "partition": message.partition(),
            "offset": message.offset(),
            "key": text(message.key()),
            "headers": {name: text(value) for name, value in message.headers() or []},
            "value": decode(message.value(), header, schema, where),
        }
        print(json.dumps(row, default=plain))


def messages(bootstrap, topic):
    """Yields every committed message of the topic, to the ends of all partitions."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": f"independent-reader-{uuid.uuid4()}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })
    found = consumer.list_topics(topic, timeout=LIMIT_SECONDS).topics[topic]
    if found.error is not None:
        sys.exit(f"{topic}: {found.error.str()}")
    waiting = set(found.partitions)
    beginning = confluent_kafka.OFFSET_BEGINNING
    consumer.assign([
        confluent_kafka.TopicPartition(topic, partition, beginning) for partition in waiting
    ])
    deadline = time.monotonic() + LIMIT_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            sys.exit(f"{topic}: no end in sight on partitions {sorted(waiting)}")
        message = consumer.poll(0.2)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
            waiting.discard(message.partition())
        else:
            sys.exit(f"{topic}: {error.str()}")
    consumer.close()


def decode(value, header, schema, where):
    if value is None:
        return None
    if value[:2] != MARKER:
        sys.exit(f"{where}: not an Avro single object: begins {value[:10].hex()}")
    if value[:10] != header:
        sys.exit(f"{where}: schema {value[2:10].hex()}, expected {header[2:].hex()}")
    body = io.BytesIO(value[10:])
    datum = fastavro.schemaless_reader(body, schema)
    if body.read(1):
        sys.exit(f"{where}: bytes are left after the datum")
    return datum


def text(data):
    return data if data is None or isinstance(data, str) else data.decode("utf-8")


def plain(value):
    """What JSON has no form for: instants as RFC 3339 with milliseconds, bytes as base64."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"no JSON form for {type(value)}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
