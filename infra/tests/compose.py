#!/usr/bin/env python3
"""Checks compose.yaml against the Compose specification, and what its parts say of each other.

Needs compose-spec and PyYAML. `brokers.py` starts Kafka with the same properties.
"""
import json
import pathlib
import re
import sys

import yaml
from compose_spec import PyCompose

INFRA = pathlib.Path(__file__).resolve().parent.parent


def main():
    text = (INFRA / "compose.yaml").read_text()
    # The validator knows neither merge keys nor variables: PyYAML and Docker resolve them.
    document = yaml.safe_load(re.sub(r"\$\{\w+:-(\w*)\}", r"\1", text))
    PyCompose.from_json(json.dumps(document))
    faults = [*refusals(document), *versions(document), *ports(document), *properties(document)]
    print(f"{len(document['services'])} services")
    sys.exit("\n".join(faults) if faults else 0)


def refusals(document):
    """The validator must be able to refuse."""
    broken = {**document, "services": {"kafka-1": {"image": "apache/kafka", "prots": []}}}
    try:
        PyCompose.from_json(json.dumps(broken))
        yield "the validator takes a service with the field `prots`"
    except Exception:
        pass


def versions(document):
    """Tests and containers run the same Kafka."""
    pom = (INFRA.parent / "tests/kafka/pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*?)</kafka.version>", pom)[1]
    for name, service in document["services"].items():
        if service["image"] != f"apache/kafka:{version}":
            yield f"{name}: found {service['image']}, expected apache/kafka:{version}"


def ports(document):
    """Clients are sent to the port that leads to the node, on loopback only."""
    for name, node in nodes(document):
        advertised = re.search(r"HOST://(127\.0\.0\.1:\d+)", node["environment"]["KAFKA_ADVERTISED_LISTENERS"])[1]
        if node["ports"] != [f"{advertised}:9092"]:
            yield f"{name}: advertises {advertised}, publishes {node['ports']}"


def properties(document):
    voters = ",".join(f"{node['environment']['KAFKA_NODE_ID']}@{name}:9093" for name, node in nodes(document))
    if f"controller.quorum.voters={voters}\n" not in (INFRA / "compose/three/server.properties").read_text():
        yield f"three/server.properties: expected controller.quorum.voters={voters}"
    for service in document["services"].values():
        for volume in service["volumes"]:
            if not (INFRA / volume.split(":")[0]).exists():
                yield f"there is no {volume.split(':')[0]}"


def nodes(document):
    return [(name, node) for name, node in document["services"].items() if name.startswith("kafka-")]


if __name__ == "__main__":
    main()
