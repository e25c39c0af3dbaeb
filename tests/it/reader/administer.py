"""Changes what brokers are told, for which librdkafka has no call.

Usage: administer.py BOOTSTRAP topic TOPIC NAME [VALUE]    a property; without a value: as before
       administer.py BOOTSTRAP quota CLIENT [BYTES]        bytes a second, both ways; or no limit
"""

import sys

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.protocol.admin.client_quotas import AlterClientQuotasRequest


def main(bootstrap, what, name, *rest):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    if what == "topic":
        prop, value = rest[0], rest[1] if len(rest) > 1 else None
        change = ("SET", value) if value else ("DELETE", None)
        said = admin.alter_configs([
            ConfigResource(ConfigResourceType.TOPIC, name, {prop: change}),
        ], raise_on_unknown=False)
        if said["topic"][name] != "OK":
            sys.exit(f"{name}: {said}")
    else:
        set_quota(admin, name, float(rest[0]) if rest else None)
    admin.close()


def set_quota(admin, client, limit):
    entry = AlterClientQuotasRequest.EntryData
    ops = [
        entry.OpData(key=key, value=limit or 0.0, remove=limit is None)
        for key in ("producer_byte_rate", "consumer_byte_rate")
    ]
    entity = [entry.EntityData(entity_type="client-id", entity_name=client)]
    request = AlterClientQuotasRequest(
        entries=[entry(entity=entity, ops=ops)],
        validate_only=False,
    )
    response = admin._manager.run(admin._manager.send, request)
    for said in response.entries:
        if said.error_code != 0:
            sys.exit(f"{client}: {said.error_code} {said.error_message}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
