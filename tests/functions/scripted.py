#!/usr/bin/env python3
"""A Lambda function that does what each message tells it, and nothing but Python's own library.

A message is {"do": ..., ...}:
  echo              replies with the event, and the number of this process
  reply, with       replies with exactly this text, whatever it is
  wait, path        waits for that file, then does the same
  hang              never replies
  exit              ends the process in the middle of the invocation
  fail              reports an error to Lambda

As an authorizer it answers with the JSON in the query's `ticket`, or fails with that text where it is none.
A handshake is refused with the status that its query names, if any (?status=403).
"""

import http.client
import json
import os
import sys
import time

INVOCATION = "/2018-06-01/runtime/invocation"


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", f"{INVOCATION}/next")
        response = api.getresponse()
        event = json.load(response)
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        verb, reply = answer(event)
        api.request("POST", f"{INVOCATION}/{request_id}/{verb}", reply)
        api.getresponse().read()


def answer(event):
    """What to post, and where: a response or an error."""
    if event.get("type") == "REQUEST":
        ticket = event["queryStringParameters"]["ticket"]
        if ticket.startswith("{"):
            return "response", ticket
        return "error", json.dumps({"errorType": "Error", "errorMessage": ticket})
    if event["requestContext"]["eventType"] != "MESSAGE":
        query = event.get("queryStringParameters", {})
        return "response", json.dumps({"statusCode": int(query.get("status", 200))})
    script = json.loads(event["body"])
    told = script["do"]
    if told == "reply":
        return "response", script["with"]
    if told == "fail":
        return "error", json.dumps({"errorType": "Told", "errorMessage": "told to fail"})
    if told == "exit":
        sys.exit(1)
    while told == "hang" or told == "wait" and not os.path.exists(script["path"]):
        time.sleep(0.01)
    return "response", json.dumps({"statusCode": 200, "body": json.dumps({"event": event, "pid": os.getpid()})})


if __name__ == "__main__":
    main()
