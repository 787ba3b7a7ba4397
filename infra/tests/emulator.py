#!/usr/bin/env python3
"""Applies the packaged functions to an emulator of AWS, sends a message through them to Apache Kafka, and a record back.

usage: emulator.py PACKAGES KAFKA_JARS      (the x86-64 zips; the folder of Apache Kafka's jars)

Kafka runs with the properties that `compose.yaml` gives it. Needs terraform, java, kcat and, in
this Python's environment, ministack, boto3 and websocket-client.
"""
import base64
import collections
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import websocket

INFRA = pathlib.Path(__file__).resolve().parent.parent
CONTRACT = INFRA.parent / "gateway.yaml"
STAGE = "live"
TOPICS = {"ws.connections", "ws.messages", "chat.messages", "ws.outbound"}

# A start may take this long on a machine that is busy with other tests.
START_SECONDS_MAX = 120
# An answer of a function that starts cold, too.
ANSWER_SECONDS_MAX = 60
TERRAFORM_SECONDS_MAX = 600
POLL_SECONDS = 0.1


def main(packages, jars):
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running_kafka(folder, jars))
        aws = stack.enter_context(running_emulator(folder))
        terraform = Terraform(folder, aws, packages, kafka)
        terraform("apply", "-auto-approve")
        print("applied")
        terraform("plan", "-detailed-exitcode")
        print("planned again: no changes")
        deployed = terraform.outputs()
        a_message_becomes_a_record(aws, kafka, deployed)
        a_record_becomes_a_message(aws, kafka, deployed)
        terraform("destroy", "-auto-approve")
        assert leftovers(aws) == [], leftovers(aws)
        print("destroyed: nothing is left")


def a_message_becomes_a_record(aws, kafka, deployed):
    client = connected(aws, deployed)
    message = json.dumps({"action": "chat", "room": "r1", "text": "hi", "id": "1"})
    client.send(message)
    answer = json.loads(client.recv())
    assert answer == {"type": "ack", "id": "1"}, answer
    client.close()
    assert records(kafka, "chat.messages") == [f"r1 {message}"], records(kafka, "chat.messages")
    # The last record of a connection comes after it.
    connections = eventually(lambda: [r for r in [records(kafka, "ws.connections")] if len(r) == 2])[0]
    assert len({record.split(" ")[0] for record in connections}) == 1, connections
    print("a message became a record; its connection, two")


def a_record_becomes_a_message(aws, kafka, deployed):
    """The emulator has no mapping for Kafka: this hands `push` what a mapping would."""
    client = connected(aws, deployed)
    counts = eventually(lambda: [c for c in [collections.Counter(r.split(" ")[0] for r in records(kafka, "ws.connections"))] if c.total() == 3])[0]
    # The one that has come and not gone has one record.
    (connection,) = [id for id, count in counts.items() if count == 1]
    event = {"eventSource": "aws:SelfManagedKafka", "bootstrapServers": kafka, "records": {"ws.outbound-0": [batched(connection, "hello")]}}
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


def leftovers(aws):
    """The names of whatever the emulator still has."""
    of = lambda service: client_of(aws, service)
    return [
        *[api["Name"] for api in of("apigatewayv2").get_apis()["Items"]],
        *[function["FunctionName"] for function in of("lambda").list_functions()["Functions"]],
        *[role["RoleName"] for role in of("iam").list_roles()["Roles"] if "sluice" in role["RoleName"]],
        *[group["logGroupName"] for group in of("logs").describe_log_groups()["logGroups"] if "sluice" in group["logGroupName"]],
        *[alarm["AlarmName"] for alarm in of("cloudwatch").describe_alarms()["MetricAlarms"]],
    ]


def client_of(aws, service):
    return boto3.client(service, endpoint_url=aws, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


def batched(key, value):
    """A record as Lambda's events have it."""
    encoded = lambda text: base64.b64encode(text.encode()).decode()
    return {
        "topic": "ws.outbound", "partition": 0, "offset": 0, "timestamp": 0, "timestampType": "CREATE_TIME",
        "key": encoded(key), "value": encoded(value), "headers": [],
    }


def records(brokers, topic):
    """The records of a topic, each `key value`."""
    command = ["kcat", "-b", brokers, "-t", topic, "-C", "-e", "-q", "-o", "beginning", "-f", "%k %s\n"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_SECONDS_MAX).stdout.splitlines()


@contextlib.contextmanager
def running_kafka(folder, jars):
    host, inside, controller = free_ports(3)
    properties = INFRA / "compose/one/server.properties"
    overrides = {
        "listeners": f"HOST://127.0.0.1:{host},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"HOST://127.0.0.1:{host},INSIDE://127.0.0.1:{inside}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(folder / "kafka"),
    }
    java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    # `StorageTool` takes no overrides: the one that it needs comes last in a copy.
    formatted = folder / "format.properties"
    formatted.write_text(properties.read_text() + "".join(f"{key}={value}\n" for key, value in overrides.items()))
    quietly([*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(formatted)])
    command = [*java, "kafka.Kafka", str(properties)]
    for key, value in overrides.items():
        command += ["--override", f"{key}={value}"]
    with running(command, folder / "kafka.log"):
        eventually(lambda: accepts(host), START_SECONDS_MAX)
        environment = {
            **os.environ,
            "TOPIC_COMMAND": f"java -cp {jars}/* org.apache.kafka.tools.TopicCommand",
            "TOPICS": " ".join(sorted(TOPICS)),
            "BOOTSTRAP": f"127.0.0.1:{host}",
            "REPLICATION": "1",
        }
        quietly(["bash", "-f", str(INFRA / "compose/topics")], env=environment)
        print("Kafka runs with compose's properties, and has the topics")
        yield f"127.0.0.1:{host}"


@contextlib.contextmanager
def running_emulator(folder):
    (port,) = free_ports(1)
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    ministack = shutil.which("ministack", path=os.path.dirname(sys.executable)) or "ministack"
    with running([ministack], folder / "ministack.log", env=environment):
        eventually(lambda: accepts(port), START_SECONDS_MAX)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def running(command, log, **options):
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent, **options)
        try:
            yield process
        except BaseException:
            print(f"--- the end of {log.name}\n{log.read_text()[-4000:]}", file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=ANSWER_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def quietly(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX, **options)
    assert done.returncode == 0, f"{command[0]} … {command[-1]}: {done.stdout}{done.stderr}"


def eventually(condition, seconds=ANSWER_SECONDS_MAX):
    """What the condition returns, once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"not within {seconds} s")


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    main(*(os.path.abspath(argument) for argument in sys.argv[1:]))
