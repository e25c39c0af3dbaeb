"""Writes down what topics hold, read with a client that is neither librdkafka nor Kafka's own.

Usage: dump_topics.py BOOTSTRAP GROUP AVRO_TOPIC SCHEMA_FILE TOPIC...

Reads every partition of each TOPIC from its beginning to its end as a read_committed consumer and
prints one JSON object a line: topic, partition, offset, timestamp, key, value, headers; bytes in
hexadecimal digits. A message of AVRO_TOPIC has its datum besides. Then comes a line for each offset
that GROUP has committed.
"""

import json
import sys
import time

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form
import kafka
from kafka.admin import KafkaAdminClient

from read_incidents import MARKER, decode, plain

LIMIT_SECONDS = 60


def main(bootstrap, group, avro_topic, schema_file, topics):
    with open(schema_file, encoding="utf-8") as file:
        raw_schema = json.load(file)
    canonical = to_parsing_canonical_form(raw_schema)
    header = MARKER + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
    schema = fastavro.parse_schema(raw_schema)
    for message in messages(bootstrap.split(","), topics):
        where = f"{message.topic} partition {message.partition} offset {message.offset}"
        row = {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
            "key": text(message.key),
            "value": text(message.value),
            "headers": [[name, text(value)] for name, value in message.headers],
        }
        if message.topic == avro_topic:
            row["datum"] = decode(message.value, header, schema, where)
        print(json.dumps(row, default=plain))
    admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    for place, committed in admin.list_group_offsets(group)[group].items():
        row = {"topic": place.topic, "partition": place.partition, "committed": committed.offset}
        print(json.dumps(row))
    admin.close()


def messages(bootstrap, topics):
    """Yields every committed message of the topics, to the ends of all partitions."""
    # Nobody may hold transactions open any more, so that the end for all is the end for us.
    with_all = kafka.KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    places = []
    for topic in topics:
        partitions = with_all.partitions_for_topic(topic)
        if not partitions:
            sys.exit(f"{topic} does not exist")
        places += [kafka.TopicPartition(topic, partition) for partition in sorted(partitions)]
    ends = with_all.end_offsets(places)
    with_all.close()
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    waiting = {place for place in places if ends[place] > 0}
    deadline = time.monotonic() + LIMIT_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            sys.exit(f"no end in sight: {[(p, consumer.position(p), ends[p]) for p in waiting]}")
        for batch in consumer.poll(timeout_ms=200).values():
            yield from batch
        waiting = {place for place in waiting if consumer.position(place) < ends[place]}
    consumer.close()


def text(data):
    return data if data is None else bytes(data).hex()


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:5], sys.argv[5:])
