#!/usr/bin/env python3
"""What the root module makes of its variables, in the resources of its modules.

usage: settings.py < the output of `terraform test -json -verbose -filter=tests/policies.tftest.hcl`
"""
import sys

from policies import ALL, OTHERS, PRODUCERS, read

ALARMS = ["arn:aws:sns:eu-west-1:123456789012:alarms"]
INSIDE = "sg-0123456789abcdef0"
LAYER = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:17"
OWN_KEY = "arn:aws:kms:eu-west-1:123456789012:key/own"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"


def function(name, resource="aws_lambda_function"):
    return f'module.function["{name}"].{resource}.this'


MAPPING = "module.push[0].aws_lambda_event_source_mapping.this"
INSTANCES = "capacity_provider_config.0.lambda_managed_instances_capacity_provider_config.0"

# (run, resource, what of it, what it is)
EXPECTED = [
    # Producers are inside with one way, to the brokers; what calls has another, and stays outside unasked.
    *[("msk_iam", function(name), "vpc_config.0.security_group_ids", [INSIDE]) for name in PRODUCERS],
    *[("msk_iam", function(name), "vpc_config", []) for name in (*OTHERS, "push")],
    *[("plain", function(name), "vpc_config", []) for name in ALL],
    *[("scram", function(name), "vpc_config.0.security_group_ids", [INSIDE]) for name in PRODUCERS],
    ("scram", function("push"), "vpc_config.0.security_group_ids", [INSIDE, "sg-egress"]),
    ("scram", function("push"), "vpc_config.0.subnet_ids", ["subnet-1"]),
    *[("scram", function(name), "vpc_config", []) for name in OTHERS],
    ("instances", function("message"), "vpc_config", []),
    ("instances", function("connect"), "vpc_config.0.subnet_ids", ["subnet-1"]),
    # The secret is read through a layer, by who writes.
    *[(run, function(name), "layers", [LAYER]) for run in ("plain", "scram") for name in PRODUCERS],
    *[(run, function(name), "layers", []) for run in ("plain", "scram") for name in (*OTHERS, "push")],
    *[("scram", function(name), "environment.0.variables.KAFKA_SASL_SECRET_ARN", f"{SECRET}:kafka-AbCdEf") for name in PRODUCERS],
    ("scram", function("push"), "environment.0.variables", {"CALLBACK_URL": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"}),
    # Keys, logs, traces and alarms.
    *[("scram", function(name), "kms_key_arn", OWN_KEY) for name in ALL],
    *[("scram", function(name, "aws_cloudwatch_log_group"), "kms_key_id", OWN_KEY) for name in ALL],
    ("scram", "module.websocket_api.aws_cloudwatch_log_group.access", "kms_key_id", OWN_KEY),
    ("scram", MAPPING, "kms_key_arn", OWN_KEY),
    *[("scram", function(name), "logging_config.0.application_log_level", "DEBUG") for name in ALL],
    *[("scram", function(name), "tracing_config.0.mode", "PassThrough") for name in ALL],
    *[("msk_iam", function(name), "tracing_config.0.mode", "Active") for name in ALL],
    *[("scram", f'module.observability.aws_cloudwatch_metric_alarm.{alarm}', "alarm_actions", ALARMS) for alarm in ('api["integration-errors"]', 'function["message-errors"]', 'mapping["push-lag"]')],
    ("scram", 'module.observability.aws_cloudwatch_metric_alarm.function["message-latency"]', "threshold", 2000),
    ("scram", 'module.observability.aws_cloudwatch_metric_alarm.function["push-latency"]', "threshold", 8000),
    # Where the mapping reads, and how.
    ("msk_iam", MAPPING, "source_access_configuration", []),
    ("scram", MAPPING, "source_access_configuration", [
        {"type": "SASL_SCRAM_256_AUTH", "uri": f"{SECRET}:kafka-AbCdEf"},
        {"type": "SERVER_ROOT_CA_CERTIFICATE", "uri": f"{SECRET}:ca-AbCdEf"},
        {"type": "VPC_SECURITY_GROUP", "uri": "security_group:sg-mapping"},
        {"type": "VPC_SUBNET", "uri": "subnet:subnet-2"},
    ]),
    # The contract's concurrency, on the provider's instances.
    ("instances", function("message"), f"{INSTANCES}.per_execution_environment_max_concurrency", 16),
    ("instances", function("message"), f"{INSTANCES}.execution_environment_memory_gib_per_vcpu", 4),
    ("instances", function("connect"), "capacity_provider_config", []),
]


def main():
    found = {run: dict(resources(root)) for run, root in read(sys.stdin)}
    faults = []
    for run, address, path, expected in EXPECTED:
        value = at(found[run][address], path)
        if ordered(value) != ordered(expected):
            faults.append(f"{run}: {address}: {path}: found {value}, expected {expected}")
    print(f"{len(EXPECTED)} settings of {len(found)} deployments")
    sys.exit("\n".join(faults) if faults else 0)


def resources(module):
    for resource in module.get("resources", []):
        yield resource["address"], resource["values"]
    for child in module.get("child_modules", []):
        yield from resources(child)


def at(value, path):
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value.get(step)
    return value


def ordered(value):
    """Sets are lists in a state."""
    return sorted(value, key=str) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
