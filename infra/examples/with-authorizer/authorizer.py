"""Lets whoever has a ticket connect: `<user>.<expiry, in seconds>.<signature>`, signed with HMAC-SHA-256.

A ticket comes from a service that has authenticated the user; it is in the URL's query, since
browsers can set no header, and good for as long as that service says, best under a minute.
"""
import functools
import hashlib
import hmac
import os
import time

import boto3


def handler(event, _context):
    user = verified(event["queryStringParameters"]["ticket"], time.time())
    return {
        # Without a principal, records would name nobody.
        "principalId": user or "nobody",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow" if user else "Deny", "Action": "execute-api:Invoke", "Resource": event["methodArn"]}],
        },
    }


def verified(ticket, now):
    """The user of a ticket that is good, else None."""
    head, _, signature = ticket.rpartition(".")
    user, _, expiry = head.rpartition(".")
    expected = hmac.new(key(), head.encode(), hashlib.sha256).hexdigest()
    good = hmac.compare_digest(expected.encode(), signature.encode()) and expiry.isdecimal() and now < int(expiry)
    return user if good else None


@functools.cache
def key():
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TICKETS_SECRET_ARN"])
    return secret["SecretString"].encode()
