#!/usr/bin/env python3
"""A Lambda function behind an event source mapping of Kafka, and nothing but Python's own library.

It appends each event that it gets to the file $PUSHED, a line for each. A record's value tells what to do:
  error:PATH   fails with the whole batch
  named:PATH   reports this record as failed, and does those before it
  exit:PATH    ends the process
  wait:PATH    waits
each of them until that file is there. With any other value the record is done.
"""

import base64
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
        with open(os.environ["PUSHED"], "a") as pushed:
            pushed.write(json.dumps(event) + "\n")
        verb, reply = answer(event)
        api.request("POST", f"{INVOCATION}/{request_id}/{verb}", json.dumps(reply))
        api.getresponse().read()


def answer(event):
    """What to post, and where: a response or an error."""
    failures = []
    for partition, records in event["records"].items():
        for record in records:
            told, _, path = base64.b64decode(record["value"] or "").decode().partition(":")
            if told not in ("error", "named", "exit", "wait") or os.path.exists(path):
                continue
            if told == "error":
                return "error", {"errorType": "Told", "errorMessage": "told to fail"}
            if told == "exit":
                sys.exit(1)
            if told == "named":
                identifier = {"partition": partition, "offset": record["offset"]}
                failures.append({"itemIdentifier": identifier})
                break
            while not os.path.exists(path):
                time.sleep(0.01)
    return "response", {"batchItemFailures": failures}


if __name__ == "__main__":
    main()
