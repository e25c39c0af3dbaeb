"""Holds JSON objects on standard input, one a line, against the schema of OCSF 1.8.0.

Usage: validate_ocsf.py < FINDINGS

Each must be a Detection Finding (class 2004) without profiles. Prints how many are valid if all
are, else what is wrong with each that is not.
"""

import json
import sys

import jsonschema
import ocsf_json_schema

VERSION = "1.8.0"


def main():
    schema = ocsf_json_schema.get_ocsf_schema(version=VERSION)
    schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(schema)
    validator = jsonschema.Draft202012Validator(schema.get_class_schema("detection_finding"))
    valid = wrong = 0
    for number, line in enumerate(sys.stdin, 1):
        finding = json.loads(line)
        errors = list(validator.iter_errors(finding))
        for error in errors:
            print(f"line {number}: {error.json_path}: {error.message}")
        valid += not errors
        wrong += bool(errors)
    if not wrong:
        print(f"{valid} are valid")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
