#!/usr/bin/env python3
"""What every role of a deployment may do, and what it must not be able to do.

usage: policies.py < the output of `terraform test -json -verbose -filter=tests/policies.tftest.hcl`

Evaluates the rendered policies as IAM does: what no statement allows is denied, and a `Deny`
wins. `parliament` reads the policies, too.
"""
import fnmatch
import json
import re
import sys
import warnings

warnings.simplefilter("ignore")
from parliament import analyze_policy_string  # noqa: E402

REGION = "eu-west-1:123456789012"
CLUSTER = f"arn:aws:kafka:{REGION}:cluster/events/11112222-3333-4444-5555-666677778888-2"
OTHER_CLUSTER = f"arn:aws:kafka:{REGION}:cluster/other/99992222-3333-4444-5555-666677778888-2"
STAGE = f"arn:aws:execute-api:{REGION}:a1b2c3d4e5/live"
SECRET = f"arn:aws:secretsmanager:{REGION}:secret:kafka-AbCdEf"
AUTHORITY = f"arn:aws:secretsmanager:{REGION}:secret:ca-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:key/kafka"
AUTHORITY_KEY = f"arn:aws:kms:{REGION}:key/ca"
LOGS = f"arn:aws:logs:{REGION}:log-group:group:log-stream:s"
PRODUCERS = ("connect", "disconnect", "message")
OTHERS = ("authorizer", "goodbye")
ALL = (*PRODUCERS, *OTHERS, "push")


def topic(name, cluster=CLUSTER):
    return f"{cluster.replace(':cluster/', ':topic/')}/{name}"


def group(name):
    return f"{CLUSTER.replace(':cluster/', ':group/')}/{name}"


# (run, roles, action, resource): each role of these may do this …
MAY = [
    ("msk_iam", ALL, "logs:PutLogEvents", LOGS),
    ("msk_iam", (*PRODUCERS, "push"), "kafka-cluster:Connect", CLUSTER),
    ("msk_iam", ("message",), "kafka-cluster:WriteData", topic("ws.messages")),
    ("msk_iam", ("message",), "kafka-cluster:WriteData", topic("chat.messages")),
    ("msk_iam", ("connect", "disconnect"), "kafka-cluster:WriteData", topic("ws.connections")),
    ("msk_iam", PRODUCERS, "ec2:CreateNetworkInterface", "*"),
    ("msk_iam", ("push",), "kafka-cluster:DescribeClusterDynamicConfiguration", CLUSTER),
    ("msk_iam", ("push",), "ec2:CreateNetworkInterface", "*"),
    ("msk_iam", ("push",), "kafka-cluster:ReadData", topic("ws.outbound")),
    ("msk_iam", ("push",), "kafka-cluster:ReadData", topic("chat.outbound")),
    ("msk_iam", ("push",), "kafka-cluster:AlterGroup", group("sluice-push")),
    ("msk_iam", ("push",), "kafka-cluster:WriteData", topic("ws.outbound.dead")),
    ("msk_iam", ("push",), "kafka:GetBootstrapBrokers", CLUSTER),
    ("msk_iam", ("push",), "execute-api:ManageConnections", f"{STAGE}/POST/@connections/abc="),
    ("msk_iam", ("push",), "execute-api:ManageConnections", f"{STAGE}/DELETE/@connections/abc="),
    ("plain", (*PRODUCERS, "push"), "secretsmanager:GetSecretValue", SECRET),
    ("scram", (*PRODUCERS, "push"), "secretsmanager:GetSecretValue", SECRET),
    ("scram", (*PRODUCERS, "push"), "kms:Decrypt", KEY),
    ("scram", ("push",), "secretsmanager:GetSecretValue", AUTHORITY),
    ("scram", ("push",), "kms:Decrypt", AUTHORITY_KEY),
    ("scram", (*PRODUCERS, "push"), "ec2:CreateNetworkInterface", "*"),
]

# … and each role of these must not be able to do that.
MUST_NOT = [
    ("msk_iam", (*PRODUCERS, *OTHERS), "execute-api:ManageConnections", f"{STAGE}/POST/@connections/abc="),
    ("msk_iam", ("push",), "execute-api:ManageConnections", f"{STAGE}/GET/@connections/abc="),
    ("msk_iam", ("push",), "execute-api:ManageConnections", f"{STAGE.replace('live', 'other')}/POST/@connections/abc="),
    ("msk_iam", ("push",), "execute-api:ManageConnections", f"{STAGE.replace('a1b2c3d4e5', 'other')}/POST/@connections/abc="),
    ("msk_iam", ALL, "execute-api:Invoke", f"{STAGE}/$connect"),
    ("msk_iam", ("connect", "disconnect"), "kafka-cluster:WriteData", topic("ws.messages")),
    ("msk_iam", ("message",), "kafka-cluster:WriteData", topic("ws.connections")),
    ("msk_iam", ALL, "kafka-cluster:WriteData", topic("payments")),
    ("msk_iam", ALL, "kafka-cluster:WriteData", topic("ws.messages", OTHER_CLUSTER)),
    ("msk_iam", ALL, "kafka-cluster:WriteData", topic("ws.messages.old")),
    ("msk_iam", ("push",), "kafka-cluster:WriteData", topic("ws.outbound")),
    ("msk_iam", PRODUCERS, "kafka-cluster:ReadData", topic("ws.messages")),
    ("msk_iam", ("push",), "kafka-cluster:ReadData", topic("ws.messages")),
    ("msk_iam", ("push",), "kafka-cluster:AlterGroup", group("billing")),
    ("msk_iam", ALL, "kafka-cluster:CreateTopic", topic("ws.messages")),
    ("msk_iam", ALL, "kafka-cluster:DeleteTopic", topic("ws.messages")),
    ("msk_iam", ALL, "kafka-cluster:AlterTopic", topic("ws.messages")),
    ("msk_iam", ALL, "kafka-cluster:AlterCluster", CLUSTER),
    ("msk_iam", OTHERS, "kafka-cluster:Connect", CLUSTER),
    ("msk_iam", ALL, "kafka-cluster:Connect", OTHER_CLUSTER),
    ("msk_iam", ALL, "kafka:DeleteCluster", CLUSTER),
    ("msk_iam", ALL, "secretsmanager:GetSecretValue", SECRET),
    ("plain", OTHERS, "secretsmanager:GetSecretValue", SECRET),
    ("plain", ALL, "secretsmanager:GetSecretValue", SECRET.replace("kafka-", "other-")),
    ("plain", ALL, "secretsmanager:PutSecretValue", SECRET),
    ("plain", ALL, "secretsmanager:ListSecrets", "*"),
    ("plain", ALL, "ec2:CreateNetworkInterface", "*"),
    ("msk_iam", OTHERS, "ec2:CreateNetworkInterface", "*"),
    ("msk_iam", ALL, "ec2:RunInstances", "*"),
    ("msk_iam", ALL, "logs:CreateLogGroup", "*"),
    ("msk_iam", ALL, "logs:GetLogEvents", LOGS),
    ("msk_iam", ALL, "logs:PutLogEvents", LOGS.replace("group:group", "group:other")),
    ("msk_iam", ALL, "iam:PassRole", "arn:aws:iam::123456789012:role/role"),
    ("msk_iam", ALL, "sts:AssumeRole", "arn:aws:iam::123456789012:role/role"),
    ("msk_iam", ALL, "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:function:sluice-push"),
    ("msk_iam", ALL, "lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:function:sluice-push"),
    ("msk_iam", ALL, "s3:GetObject", "arn:aws:s3:::any/thing"),
    ("msk_iam", ALL, "kms:Decrypt", f"arn:aws:kms:{REGION}:key/any"),
    ("msk_iam", PRODUCERS, "kafka-cluster:DescribeClusterDynamicConfiguration", CLUSTER),
    ("scram", OTHERS, "secretsmanager:GetSecretValue", SECRET),
    ("scram", (*PRODUCERS, *OTHERS), "secretsmanager:GetSecretValue", AUTHORITY),
    ("scram", (*PRODUCERS, *OTHERS), "kms:Decrypt", AUTHORITY_KEY),
    ("scram", ALL, "kms:Encrypt", KEY),
    ("scram", ALL, "kafka-cluster:Connect", CLUSTER),
    ("scram", OTHERS, "ec2:CreateNetworkInterface", "*"),
]

# What Lambda may do with these roles, and the function's own code may not.
NOT_FROM_WITHIN = [
    (run, (*PRODUCERS, "push"), action, "*")
    for run in ("msk_iam", "scram")
    for action in ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeSubnets")
] + [("msk_iam", ("push",), "ec2:DescribeVpcs", "*")]

# The only actions that may name no resource: AWS knows none for them.
WITHOUT_RESOURCE = re.compile(
    r"^(xray:Put(TraceSegments|TelemetryRecords)|kafka:GetBootstrapBrokers"
    r"|ec2:(Create|Delete|Describe)NetworkInterfaces?|ec2:Describe(Subnets|SecurityGroups|Vpcs)"
    r"|ec2:(Una|A)ssignPrivateIpAddresses)$"
)


def main():
    deployments = {run: dict(policies(root)) for run, root in read(sys.stdin)}
    faults = []
    for run, roles, action, resource in MAY:
        faults += [f"{run}: {r} may not {action} on {resource}" for r in roles if not allows(deployments[run][r], action, resource)]
    for run, roles, action, resource in MUST_NOT:
        faults += [f"{run}: {r} may {action} on {resource}" for r in roles if allows(deployments[run][r], action, resource)]
    for run, roles, action, resource in NOT_FROM_WITHIN:
        faults += [f"{run}: {r} may {action} from within" for r in roles if allows(deployments[run][r], action, resource, within=True)]
    for run, roles in deployments.items():
        for role, policy in roles.items():
            faults += [f"{run}: {role}: {fault}" for fault in [*broad(policy), *misspelt(policy)]]
    print(f"{len(deployments)} deployments, {len(MAY)} permissions, {len(MUST_NOT) + len(NOT_FROM_WITHIN)} prohibitions, {len(faults)} faults")
    sys.exit("\n".join(faults) if faults else 0)


def read(lines):
    """Yields each run with the root module of its state."""
    for line in lines:
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("type") == "test_state":
            yield event["@testrun"], event["test_state"]["root_module"]


def policies(module):
    """The roles' policies, by the functions' names in the contract; nothing else may be given to a role."""
    found = re.fullmatch(r'module\.function\["(.+)"\]', module.get("address", ""))
    for resource in module.get("resources", []):
        if found and resource["type"] == "aws_iam_role_policy":
            yield found[1], json.loads(resource["values"]["policy"])
        if found and resource["type"] in ("aws_iam_role_policy_attachment", "aws_iam_policy"):
            sys.exit(f"{resource['address']}: expected one inline policy, which is what is evaluated here")
    for child in module.get("child_modules", []):
        yield from policies(child)


def allows(policy, action, resource, within=False):
    """Whether a request is allowed, of Lambda or from within a function."""
    effects = {s["Effect"] for s in policy["Statement"] if matches(s["Action"], action) and matches(s["Resource"], resource) and holds(s, within)}
    return effects == {"Allow"}


def holds(statement, within):
    """Conditions of an `Allow` are taken as met, those of a `Deny` as not met, the worse of both, unless one is the function."""
    if "Condition" not in statement or statement["Effect"] == "Allow":
        return True
    return within and "lambda:SourceFunctionArn" in statement["Condition"].get("ArnEquals", {})


def matches(patterns, value):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(value.lower(), re.sub(r"([\[])", r"[\1]", p).lower()) for p in patterns)


def broad(policy):
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            if statement["Effect"] == "Deny":
                continue
            if "*" in action:
                yield f"{action} is a wildcard"
            if statement["Resource"] == "*" and not WITHOUT_RESOURCE.match(action):
                yield f"{action} is allowed on every resource"


def misspelt(policy):
    for finding in analyze_policy_string(json.dumps(policy)).findings:
        if not any(issue == finding.issue and words in str(finding.detail) for issue, words in ACCEPTED):
            yield f"{finding.issue}: {finding.detail}"


# What parliament is wrong about.
ACCEPTED = [
    # Lambda gives this key to every request that is made from within a function.
    # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    ("UNKNOWN_CONDITION_FOR_ACTION", "lambda:SourceFunctionArn"),
    # An interface has no name before it exists; `broad` counts what else is allowed on everything.
    ("RESOURCE_STAR", "ec2:CreateNetworkInterface"),
]

if __name__ == "__main__":
    main()
