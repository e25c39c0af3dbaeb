"""Reads Watchfire's topic of incidents, whatever it is encoded in.

Used by consumer.py and webhook.py; needs confluent-kafka and fastavro.
"""

import datetime
import io
import json
import os
import pathlib
import struct
import urllib.request

import confluent_kafka
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

# The first two bytes of Avro's single-object encoding; eight that name the schema follow.
MARKER = b"\xc3\x01"


class Decoder:
    """Makes incidents of messages: JSON, Avro single objects, or Avro as a schema registry has it.

    Takes the schemas of a folder, newest and older ones, and reads what any of them has written.
    `registry` is the address of one that speaks Confluent's API, if incidents name their schema
    by its id there.
    """

    def __init__(self, folder, registry=None):
        self.registry = registry
        self.schemas, self.registered = {}, {}
        for file in sorted(pathlib.Path(folder).rglob("*.avsc")):
            schema = json.loads(file.read_text(encoding="utf-8"))
            name = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
            self.schemas[bytes.fromhex(name)] = fastavro.parse_schema(schema, named_schemas={})

    def read(self, value):
        """An incident as a dict, with times as RFC 3339; ValueError for anything else."""
        if value[:1] == b"{":
            incident = json.loads(value)
            if "incident_id" not in incident:
                raise ValueError("JSON, but no incident: OCSF is not read here")
            return incident
        schema, datum = self.schema_of(value)
        incident = fastavro.schemaless_reader(io.BytesIO(datum), schema)
        return {name: plain(field) for name, field in incident.items()}

    def schema_of(self, value):
        """The schema of a value in Avro, and the datum."""
        if value[:2] == MARKER and value[2:10] in self.schemas:
            return self.schemas[value[2:10]], value[10:]
        if value[:1] == b"\0" and len(value) > 5 and self.registry is not None:
            (number,) = struct.unpack(">I", value[1:5])
            if number not in self.registered:
                self.registered[number] = self.ask(number)
            return self.registered[number], value[5:]
        raise ValueError(f"neither JSON nor Avro of a known schema: {value[:10].hex()}")

    def ask(self, number):
        """A schema by its id in the registry."""
        address = f"{self.registry.rstrip('/')}/schemas/ids/{number}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            schema = json.loads(json.load(answer)["schema"])
        return fastavro.parse_schema(schema, named_schemas={})


def plain(value):
    """What JSON has no form for: times as RFC 3339 with milliseconds."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: plain(field) for name, field in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def settings(bootstrap, group):
    """The client's settings: an address, or Event Hubs by EVENTHUBS_CONNECTION_STRING."""
    common = {
        "group.id": group,
        # Nothing of what an aborted transaction said.
        "isolation.level": "read_committed",
        # What was worked off is committed, not what was read.
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    connection = os.environ.get("EVENTHUBS_CONNECTION_STRING")
    if bootstrap is not None or connection is None:
        return {**common, "bootstrap.servers": bootstrap or "localhost:9092"}
    host = connection.split("sb://", 1)[1].split("/", 1)[0].split(";", 1)[0]
    return {
        **common,
        "bootstrap.servers": f"{host}:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "$ConnectionString",
        "sasl.password": connection,
    }


def messages(consumer, topic, until_end):
    """Yields messages, and None whenever there is nothing to be read for a moment.

    With `until_end` it ends when all partitions that it was given are read.
    """
    given, ended = set(), set()

    def assigned(_, partitions):
        given.update(p.partition for p in partitions)

    consumer.subscribe([topic], on_assign=assigned)
    while not (until_end and given and given <= ended):
        message = consumer.poll(1.0)
        if message is None:
            yield None
            continue
        error = message.error()
        if error is None:
            ended.discard(message.partition())
            yield message
        elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
            ended.add(message.partition())
            yield None
        elif error.fatal() or not error.retriable():
            raise confluent_kafka.KafkaException(error)
