"""A page in Chromium, and kcat beside it: each gets what the other one sends."""

import json
import subprocess

from browser import Page, main
from common import KAFKA, SHIPPED

SECONDS = 30
READ = ["-C", "-e", "-q"]


def drive(browser, _):
    page = Page(browser)
    page.open("mine", SHIPPED)
    page.send("mine", json.dumps({"action": "chat", "room": "r1", "text": "hi", "id": "1"}))
    assert json.loads(page.next("mine")["data"]) == {"type": "ack", "id": "1"}
    [text] = kcat("-t", "chat.messages", *READ).splitlines()
    assert json.loads(text)["text"] == "hi", text

    [mine] = kcat("-t", "ws.connections", *READ, "-f", "%k\\n").splitlines()
    for line in ["hello", "ž 馬 🐎"]:
        kcat("-t", "ws.outbound", "-P", "-H", f"ce_connectionid={mine}", line=line)
        assert page.next("mine")["data"] == line


def kcat(*arguments, line=""):
    command = ["kcat", "-b", KAFKA, *arguments]
    kcat = subprocess.run(command, input=line, capture_output=True, text=True, check=True, timeout=SECONDS)
    return kcat.stdout


main(drive)
