"""Reads a topic with a Confluent deserializer, which asks a schema registry.

Usage: read_registry.py BOOTSTRAP TOPIC REGISTRY

Prints one JSON object a line for every committed message: its key and what it holds.
"""

import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from read_incidents import messages, plain, text


def main(bootstrap, topic, registry):
    read = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    for message in messages(bootstrap, topic):
        value = read(message.value(), SerializationContext(topic, MessageField.VALUE))
        print(json.dumps({"key": text(message.key()), "value": value}, default=plain))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
