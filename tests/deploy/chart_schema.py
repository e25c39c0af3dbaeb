"""The configuration within the chart's values.schema.json is schemas/config.schema.json.

Usage: chart_schema.py [--write]    says whether it is, or makes it so
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VALUES = ROOT / "deploy/helm/watchfire/values.schema.json"
CONFIG = ROOT / "schemas/config.schema.json"
# What the chart says itself.
CHARTS = ["state_dir", "static_membership"]
CHARTS_HTTP = ["listen", "token_file"]


def wanted():
    values = json.loads(VALUES.read_text(encoding="utf-8"))
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    config.pop("$schema")
    config.pop("title", None)
    config["description"] = "The configuration, as in the file."
    for key in CHARTS:
        del config["properties"][key]
    for key in CHARTS_HTTP:
        del config["properties"]["http"]["properties"][key]
    values["properties"]["config"] = config
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    text = wanted()
    if sys.argv[1:] == ["--write"]:
        VALUES.write_text(text, encoding="utf-8")
    elif VALUES.read_text(encoding="utf-8") != text:
        sys.exit(
            f"{VALUES.relative_to(ROOT)} does not have the keys of {CONFIG.relative_to(ROOT)}: "
            "python3 tests/deploy/chart_schema.py --write"
        )
