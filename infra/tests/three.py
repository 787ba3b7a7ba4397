#!/usr/bin/env python3
"""Starts three nodes of Apache Kafka with the properties that `compose.yaml` gives them.

usage: three.py KAFKA_JARS      (the folder of Apache Kafka's jars)

Every topic has a copy on each, and a record that all of them have is read.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from brokers import START_SECONDS_MAX, TOPICS, kafka, records

NODES = 3


def main(jars):
    with tempfile.TemporaryDirectory() as folder, kafka(pathlib.Path(folder), jars, NODES) as brokers:
        copies = {topic: replicas(brokers, topic) for topic in TOPICS}
        assert all(partitions and all(nodes == [1, 2, 3] for nodes in partitions) for partitions in copies.values()), copies
        send(brokers, "ws.messages", "k:v")
        assert records(brokers, "ws.messages") == ["k v"], records(brokers, "ws.messages")
        print("every topic has a copy on each node, and takes records")


def replicas(brokers, topic):
    """For each partition the nodes that are in sync."""
    command = ["kcat", "-b", brokers, "-L", "-J", "-t", topic]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_SECONDS_MAX).stdout)
    return [sorted(isr["id"] for isr in partition["isrs"]) for partition in listed["topics"][0]["partitions"]]


def send(brokers, topic, record):
    command = ["kcat", "-b", brokers, "-t", topic, "-P", "-K", ":", "-X", "acks=all"]
    subprocess.run(command, input=record, check=True, capture_output=True, text=True, timeout=START_SECONDS_MAX)


if __name__ == "__main__":
    main(*(os.path.abspath(argument) for argument in sys.argv[1:]))
