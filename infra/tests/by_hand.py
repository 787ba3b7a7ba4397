#!/usr/bin/env python3
"""Runs a function as the README has it run by hand: `cargo lambda watch` and `invoke`, without a gateway.

usage: by_hand.py KAFKA_JARS      (the folder of Apache Kafka's jars)

Needs cargo-lambda, java and kcat.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from brokers import INFRA, START_SECONDS_MAX, accepts, eventually, free_ports, kafka, records, running

TOP = INFRA.parent
EVENT = TOP / "functions/tests/events/02-message.aws-lambda-go.json"

# `watch` builds the function when it is first invoked.
BUILD_SECONDS_MAX = 900


def main(jars):
    with tempfile.TemporaryDirectory() as name, kafka(pathlib.Path(name), jars) as brokers:
        (port,) = free_ports(1)
        address = ["-A", "127.0.0.1", "-P", str(port)]
        watch = ["cargo", "lambda", "watch", *address, "--ignore-changes", "--release"]
        with running(watch, pathlib.Path(name) / "watch.log", cwd=TOP, env={**os.environ, "KAFKA_BROKERS": brokers}):
            eventually(lambda: accepts(port), START_SECONDS_MAX)
            invoke = ["cargo", "lambda", "invoke", *address, "message", "--data-file", str(EVENT)]
            done = subprocess.run(invoke, cwd=TOP, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX)
            assert done.returncode == 0 and json.loads(done.stdout)["statusCode"] == 200, done.stdout + done.stderr
        body = json.loads(EVENT.read_text())["body"]
        found = "\n".join(records(brokers, "ws.messages"))
        assert found.split() == ["R1kmxc2VNjMCFIA=", *body.split()], found
        print("invoked by hand: its message is a record")


if __name__ == "__main__":
    main(*(os.path.abspath(argument) for argument in sys.argv[1:]))
