#!/usr/bin/env python3
"""Applies the packaged functions to an emulator of AWS, sends a message through them to Apache Kafka, and a record back.

usage: emulator.py PACKAGES KAFKA_JARS      (the x86-64 zips; the folder of Apache Kafka's jars)

Needs terraform, java, kcat and, in this Python's environment, ministack, boto3 and websocket-client.
"""
import base64
import collections
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import boto3
import websocket

from brokers import ANSWER_SECONDS_MAX, START_SECONDS_MAX, accepts, eventually, free_ports, kafka, records, running

INFRA = pathlib.Path(__file__).resolve().parent.parent
CONTRACT = INFRA.parent / "gateway.yaml"
STAGE = "live"
TERRAFORM_SECONDS_MAX = 600


def main(packages, jars):
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        brokers = stack.enter_context(kafka(folder, jars))
        aws = stack.enter_context(running_emulator(folder))
        terraform = Terraform(folder, aws, packages, brokers)
        terraform("apply", "-auto-approve")
        print("applied")
        terraform("plan", "-detailed-exitcode")
        print("planned again: no changes")
        deployed = terraform.outputs()
        assert all(found(aws).values()), found(aws)
        a_message_becomes_a_record(aws, brokers, deployed)
        a_record_becomes_a_message(aws, brokers, deployed)
        terraform("destroy", "-auto-approve")
        assert not any(found(aws).values()), found(aws)
        print("destroyed: nothing is left")


def a_message_becomes_a_record(aws, brokers, deployed):
    client = connected(aws, deployed)
    message = json.dumps({"action": "chat", "room": "r1", "text": "hi", "id": "1"})
    client.send(message)
    answer = json.loads(client.recv())
    assert answer == {"type": "ack", "id": "1"}, answer
    client.close()
    assert records(brokers, "chat.messages") == [f"r1 {message}"], records(brokers, "chat.messages")
    # The last record of a connection comes after it.
    connections = eventually(lambda: [r for r in [records(brokers, "ws.connections")] if len(r) == 2])[0]
    assert len({record.split(" ")[0] for record in connections}) == 1, connections
    print("a message became a record; its connection, two")


def a_record_becomes_a_message(aws, brokers, deployed):
    """The emulator has no mapping for Kafka: this hands `push` what a mapping would."""
    client = connected(aws, deployed)
    counts = eventually(lambda: [c for c in [collections.Counter(r.split(" ")[0] for r in records(brokers, "ws.connections"))] if c.total() == 3])[0]
    # The one that has come and not gone has one record.
    (connection,) = [id for id, count in counts.items() if count == 1]
    event = {"eventSource": "aws:SelfManagedKafka", "bootstrapServers": brokers, "records": {"ws.outbound-0": [batched(connection, "hello")]}}
    invoked = client_of(aws, "lambda").invoke(FunctionName=deployed["function_names"]["push"], Qualifier="live", Payload=json.dumps(event))
    report = json.loads(invoked["Payload"].read())
    assert "FunctionError" not in invoked and report == {"batchItemFailures": []}, report
    assert client.recv() == "hello"
    client.close()
    print("a record became a message to its connection")


def connected(aws, deployed):
    url = f"{aws.replace('http', 'ws')}/_aws/execute-api/{deployed['api_id']}/{STAGE}"
    return websocket.create_connection(url, timeout=ANSWER_SECONDS_MAX)


class Terraform:
    def __init__(self, folder, endpoint, packages, brokers):
        self.state = f"-state={folder / 'terraform.tfstate'}"
        self.variables = [f"-var=contract={CONTRACT}", f"-var=packages={packages}", f'-var=brokers=["{brokers}"]']
        self.environment = {
            **os.environ,
            # One for the provider itself, one for its stand-in where there is no registry.
            "AWS_ENDPOINT_URL": endpoint,
            "TERRAFORM_OFFLINE_ENDPOINT": endpoint,
            "TF_CLI_ARGS": "-no-color",
        }

    def __call__(self, command, *arguments):
        state = [self.state, "-input=false", *self.variables] if command != "output" else [self.state]
        done = subprocess.run(
            ["terraform", f"-chdir={INFRA / 'tests/emulator'}", command, *arguments, *state],
            env=self.environment, capture_output=True, text=True, timeout=TERRAFORM_SECONDS_MAX,
        )
        assert done.returncode == 0, f"terraform {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def outputs(self):
        return {name: output["value"] for name, output in json.loads(self("output", "-json")).items()}


def found(aws):
    """The names of whatever the emulator has, by their kind."""
    of = lambda service: client_of(aws, service)
    return {
        "APIs": [api["Name"] for api in of("apigatewayv2").get_apis()["Items"]],
        "functions": [function["FunctionName"] for function in of("lambda").list_functions()["Functions"]],
        "roles": [role["RoleName"] for role in of("iam").list_roles()["Roles"]],
        "log groups": [group["logGroupName"] for group in of("logs").describe_log_groups()["logGroups"]],
        "alarms": [alarm["AlarmName"] for alarm in of("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboards": [dashboard["DashboardName"] for dashboard in of("cloudwatch").list_dashboards()["DashboardEntries"]],
    }


def client_of(aws, service):
    return boto3.client(service, endpoint_url=aws, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


def batched(key, value):
    """A record as Lambda's events have it."""
    encoded = lambda text: base64.b64encode(text.encode()).decode()
    return {
        "topic": "ws.outbound", "partition": 0, "offset": 0, "timestamp": 0, "timestampType": "CREATE_TIME",
        "key": encoded(key), "value": encoded(value), "headers": [],
    }


@contextlib.contextmanager
def running_emulator(folder):
    (port,) = free_ports(1)
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    ministack = shutil.which("ministack", path=os.path.dirname(sys.executable)) or "ministack"
    with running([ministack], folder / "ministack.log", env=environment):
        eventually(lambda: accepts(port), START_SECONDS_MAX)
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    main(*(os.path.abspath(argument) for argument in sys.argv[1:]))
