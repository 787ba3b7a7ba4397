#!/usr/bin/env python3
"""Asks the example's authorizer for tickets that are good, and for others."""
import hashlib
import hmac
import os
import pathlib
import sys
import time
import types

INFRA = pathlib.Path(__file__).resolve().parent.parent
KEY = b"a key"
NOW = int(time.time())
METHOD = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live/$connect"


def main():
    handler = authorizer().handler
    expected = {
        ticket("ada", NOW + 60): ("ada", "Allow"),
        ticket("ada.lovelace", NOW + 60): ("ada.lovelace", "Allow"),
        ticket("ada", NOW - 1): ("nobody", "Deny"),
        ticket("ada", NOW + 60, b"another key"): ("nobody", "Deny"),
        ticket("ada", NOW + 60).replace("ada", "bob"): ("nobody", "Deny"),
        ticket("ada", NOW + 60).replace(str(NOW + 60), str(NOW + 600)): ("nobody", "Deny"),
        ticket("ada", "soon"): ("nobody", "Deny"),
        ticket("ada", NOW + 60)[:-1]: ("nobody", "Deny"),
        ticket("", NOW + 60): ("nobody", "Deny"),
        "": ("nobody", "Deny"),
        "…": ("nobody", "Deny"),
    }
    faults = [f"{given!r}: found {found}, expected {wanted}" for given, wanted in expected.items() if (found := asked(handler, given)) != wanted]
    print(f"{len(expected)} tickets")
    sys.exit("\n".join(faults) if faults else 0)


def authorizer():
    """The module, with a Secrets Manager that knows the key."""
    client = types.SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": {"tickets": KEY.decode()}[SecretId]})
    sys.modules["boto3"] = types.SimpleNamespace(client=lambda service: {"secretsmanager": client}[service])
    os.environ["TICKETS_SECRET_ARN"] = "tickets"
    sys.path.insert(0, str(INFRA / "examples/with-authorizer"))
    import authorizer as module

    return module


def asked(handler, given):
    answer = handler({"methodArn": METHOD, "queryStringParameters": {"ticket": given}}, None)
    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("execute-api:Invoke", METHOD), statement
    return answer["principalId"], statement["Effect"]


def ticket(user, expiry, key=KEY):
    head = f"{user}.{expiry}"
    return f"{head}.{hmac.new(key, head.encode(), hashlib.sha256).hexdigest()}"


if __name__ == "__main__":
    main()
