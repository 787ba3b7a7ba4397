#!/usr/bin/env python3
"""A Lambda function that does what each message tells it, and nothing but Python's own library.

A message is {"do": ..., ...}:
  echo              replies with the event, and the number of this process
  reply, with       replies with exactly this text, whatever it is
  wait, path        waits for that file, then does the same as echo
  hang              never replies
  spin, path        keeps a core busy until that file is there, then does the same as echo
  exit              ends the process in the middle of the invocation
  fail              reports an error to Lambda
  print, with       prints these bytes (a list of numbers), then does the same as echo
  flood, lines      prints so many lines, then does the same as echo
  line, bytes       prints one line of so many bytes, then does the same as echo
  environment       replies with its variables, its working directory and the files there
  keep              leaves a file, named after this process, where temporary files go; replies with all names there
  gap               replies with the longest time, in seconds, that went by unnoticed since the last message
  call, ...         calls the Runtime API with this method, path and body; replies with the status and the text
  garbage           sends the Runtime API what is no HTTP, then does the same as echo
  connect, times    opens so many connections to the Runtime API and keeps them, then does the same as echo
  register, path    has Lambda send SIGTERM before the end, and then writes that file

As an authorizer it answers with the JSON in the query's `ticket`, or fails with that text where it is none.
A handshake is refused with the status that its query names, if any (?status=403).
A process whose variable INIT is `fail` ends in its init; with `fail once`, only the environment's first one does.
"""

import http.client
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time

INVOCATION = "/2018-06-01/runtime/invocation"
RUNTIME_API = os.environ["AWS_LAMBDA_RUNTIME_API"]

kept = []


def main():
    init()
    watch = Watch()
    api = http.client.HTTPConnection(RUNTIME_API)
    while True:
        api.request("GET", f"{INVOCATION}/next")
        response = api.getresponse()
        event = json.load(response)
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        verb, reply = answer(event, request_id, watch)
        api.request("POST", f"{INVOCATION}/{request_id}/{verb}", reply)
        api.getresponse().read()


def init():
    told = os.environ.get("INIT")
    marker = os.path.join(tempfile.gettempdir(), "failed")
    if told == "fail" or told == "fail once" and not os.path.exists(marker):
        open(marker, "w").close()
        sys.exit(3)


def answer(event, request_id, watch):
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
    if told == "print":
        os.write(2, bytes(script["with"]))
    if told == "flood":
        os.write(1, b"".join(b"line %d\n" % number for number in range(script["lines"])))
    if told == "line":
        os.write(1, b"x" * script["bytes"] + b"\n")
    if told == "garbage":
        garbage()
    if told == "connect":
        connect(script["times"])
    if told == "register":
        register(script["path"])
    if told == "environment":
        return body({"variables": dict(os.environ), "folder": os.getcwd(), "files": os.listdir()})
    if told == "keep":
        return body({"pid": os.getpid(), "kept": keep()})
    if told == "gap":
        return body({"pid": os.getpid(), "gap": watch.longest()})
    if told == "call":
        return body(call(script["method"], script["path"].replace("{id}", request_id), script.get("body")))
    while told == "spin" and not os.path.exists(script["path"]):
        pass
    while told == "hang" or told == "wait" and not os.path.exists(script["path"]):
        time.sleep(0.01)
    return body({"event": event, "pid": os.getpid(), "request": request_id})


def body(value):
    return "response", json.dumps({"statusCode": 200, "body": json.dumps(value)})


def keep():
    folder = tempfile.gettempdir()
    open(os.path.join(folder, str(os.getpid())), "w").close()
    return os.listdir(folder)


def call(method, path, content):
    api = http.client.HTTPConnection(RUNTIME_API)
    api.request(method, path, content)
    response = api.getresponse()
    return {"status": response.status, "text": response.read().decode()}


def garbage():
    host, port = RUNTIME_API.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"\x16\x03\x01\x00 no HTTP\r\n\r\n" * 1000)
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass


def connect(times):
    host, port = RUNTIME_API.split(":")
    for _ in range(times):
        connection = socket.socket()
        connection.setblocking(False)
        # Whether it is accepted now or later does not matter.
        connection.connect_ex((host, int(port)))
        kept.append(connection)


def register(path):
    def end(_signal, _frame):
        open(path, "w").close()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    api = http.client.HTTPConnection(RUNTIME_API)
    api.request("POST", "/2020-01-01/extension/register", '{"events":[]}', {"Lambda-Extension-Name": "scripted"})
    assert api.getresponse().status == 200


class Watch(threading.Thread):
    """Looks at the clock all the time, so that it notices when it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.gap = 0
        self.start()

    def run(self):
        # Python's main thread is the one that handles signals: it does not wake up for one that another has taken.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        last = time.monotonic()
        while True:
            time.sleep(0.005)
            now = time.monotonic()
            self.gap = max(self.gap, now - last)
            last = now

    def longest(self):
        time.sleep(0.02)
        gap, self.gap = self.gap, 0
        return gap


if __name__ == "__main__":
    main()
