"""Prints the incidents of an Avro object container file, one JSON object a line.

Usage: read_container.py FILE
"""

import json
import sys

import fastavro

from read_incidents import plain


def main(file):
    with open(file, "rb") as source:
        for incident in fastavro.reader(source):
            print(json.dumps(incident, default=plain))


if __name__ == "__main__":
    main(*sys.argv[1:])
