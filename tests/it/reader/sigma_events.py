"""Derives events of Sigma rules, and says which of them match as pySigma reads the rules.

Arguments: files of Sigma rules, one rule a file. Writes one JSON object a rule and line:
{"file": .., "events": [{"fields": {..}, "matches": true}, ..]}, or with "skipped" and why. The events
are one that must match, and others that each differ from it in one field. Whether they match is what
SQLite answers to the query that pySigma makes of the rule; the derivation does not decide it.
"""

import json
import sqlite3
import sys

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import SigmaBool, SigmaExists, SigmaNull, SigmaNumber, SigmaString, SpecialChars

OTHER = "zz other"


class Skipped(Exception):
    """The events of a rule cannot be derived."""


def sample(value):
    """A value that equals this one, or has it in it."""
    if isinstance(value, SigmaNull):
        return None
    if isinstance(value, (SigmaNumber, SigmaBool)):
        return str(value)
    if isinstance(value, SigmaExists):
        return "there"
    if not isinstance(value, SigmaString):
        raise Skipped(f"values of {type(value).__name__}")
    text = ""
    for part in value.s:
        if part in (SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE):
            text += "x"
        elif isinstance(part, str):
            text += part
        else:
            raise Skipped("placeholders")
    return text


def joined(one, other):
    """Fields that satisfy both."""
    fields = dict(one)
    for name, value in other.items():
        if name in fields and fields[name] != value:
            both = [fields[name] or "", value or ""]
            value = both[0] if both[1] in both[0] else " ".join(both)
        fields[name] = value
    return fields


def satisfied(node, wanted=True):
    """Fields with which the condition holds, or does not."""
    if isinstance(node, ConditionNOT):
        return satisfied(node.args[0], not wanted)
    if isinstance(node, (ConditionAND, ConditionOR)):
        if isinstance(node, ConditionAND) != wanted:
            return satisfied(node.args[0], wanted)
        fields = {}
        for argument in node.args:
            fields = joined(fields, satisfied(argument, wanted))
        return fields
    if not isinstance(node, ConditionFieldEqualsValueExpression):
        raise Skipped("keywords")
    return {node.field: sample(node.value) if wanted else OTHER}


def others(fields):
    """Events that differ from this one in one field."""
    for name, value in fields.items():
        yield {**fields, name: OTHER}
        yield {**fields, name: None}
        if value:
            yield {**fields, name: value + "z"}
            yield {**fields, name: value.swapcase()}


def matches(query, events):
    """Which of the events the query finds."""
    names = sorted({name for event in events for name in event})
    columns = ", ".join(f"`{name}` TEXT COLLATE NOCASE" for name in names)
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE logs (place INTEGER, {columns})")
    marks = ", ".join("?" for _ in range(len(names) + 1))
    for place, event in enumerate(events):
        row = [place] + [event.get(name) for name in names]
        database.execute(f"INSERT INTO logs VALUES ({marks})", row)
    found = {row[0] for row in database.execute(query)}
    return [place in found for place in range(len(events))]


def derived(file):
    """The events of the rule in a file."""
    with open(file, encoding="utf-8") as text:
        rules = SigmaCollection.from_yaml(text.read())
    queries = sqliteBackend().convert(rules)
    conditions = rules.rules[0].detection.parsed_condition
    if len(queries) != 1 or len(conditions) != 1:
        raise Skipped("several conditions")
    event = satisfied(conditions[0].parsed)
    events = [event, *others(event)]
    verdicts = matches(queries[0], events)
    if not verdicts[0]:
        raise Skipped("no event that matches was found")
    pairs = zip(events, verdicts)
    return [{"fields": fields, "matches": verdict} for fields, verdict in pairs]


def main():
    for file in sys.argv[1:]:
        try:
            line = {"file": file, "events": derived(file)}
        except Exception as error:  # pySigma refuses rules with many kinds of errors.
            line = {"file": file, "events": [], "skipped": str(error)[:200]}
        print(json.dumps(line))


main()
