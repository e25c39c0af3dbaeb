"""An Azure Function that writes incidents into a table of Log Analytics, where Sentinel finds them.

Needs `[incidents] encoding = "json"`. Settings of the app:

    WATCHFIRE_HUB__fullyQualifiedNamespace   NAMESPACE.servicebus.windows.net
    INGESTION_ENDPOINT                       of the data collection rule
    INGESTION_RULE                           its immutable id
    INGESTION_STREAM                         such as Custom-WatchfireIncidents_CL

The app's identity needs *Azure Event Hubs Data Receiver* on the hub and *Monitoring Metrics Publisher*
on the rule. A row stands for a publication: of several with one IncidentId that with the greatest
Revision is the incident as it stands:

    WatchfireIncidents_CL | summarize arg_max(Revision, *) by IncidentId | where Status != "RETRACTED"
"""

import json
import logging
import os

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.monitor.ingestion import LogsIngestionClient

app = func.FunctionApp()


def row(incident):
    """A row of the table."""
    return {
        "TimeGenerated": incident["last_seen"],
        "IncidentId": incident["incident_id"],
        "Revision": incident["revision"],
        "Status": incident["status"],
        "RuleId": incident["rule_id"],
        "RuleName": incident["rule_name"],
        "Severity": incident["severity"],
        "Title": incident["title"],
        "FirstSeen": incident["first_seen"],
        "LastSeen": incident["last_seen"],
        "EventCount": incident["event_count"],
        "Tactics": incident["tactics"],
        "Techniques": incident["techniques"],
        "Attributes": incident["attributes"],
        "Evidence": incident["evidence"],
    }


def rows(bodies):
    """The rows of messages; what is no incident is logged and left out."""
    found = []
    for body in bodies:
        try:
            found.append(row(json.loads(body)))
        except (ValueError, KeyError, TypeError) as error:
            logging.error("a message is no incident in JSON: %r", error)
    return found


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="watchfire.incidents",
    connection="WATCHFIRE_HUB",
    cardinality="many",
    consumer_group="function",
)
def incidents(events: list[func.EventHubEvent]) -> None:
    """Sends a batch; if that fails the batch comes again, which harms nothing."""
    found = rows(event.get_body() for event in events)
    if not found:
        return
    endpoint = os.environ["INGESTION_ENDPOINT"]
    client = LogsIngestionClient(endpoint=endpoint, credential=DefaultAzureCredential())
    client.upload(
        rule_id=os.environ["INGESTION_RULE"],
        stream_name=os.environ["INGESTION_STREAM"],
        logs=found,
    )
