"""A page in Chromium as a client: what browsers do by themselves, and cannot be made not to do."""

import functools
import http.server
import json
import pathlib
import shutil
import threading

import boto3
from selenium import webdriver
from websockets.sync.client import connect

from common import ENDPOINT, PROBE, SHIPPED, connection_id, doing, steps

SECONDS = 30


def main(drive):
    folder = pathlib.Path(__file__).parent
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = start()
        try:
            origin = f"http://127.0.0.1:{server.server_port}"
            browser.get(f"{origin}/browser.html")
            drive(browser, origin)
        finally:
            browser.quit()
            server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def start():
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]:
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_script_timeout(SECONDS)
    return browser


def drive(browser, origin):
    page = Page(browser)
    api = boto3.client("apigatewaymanagementapi", endpoint_url=ENDPOINT)

    assert page.open("shipped", SHIPPED) == {"type": "open", "protocol": "", "extensions": ""}
    page.send("shipped", json.dumps({"action": "chat", "room": "r", "id": "1"}))
    assert json.loads(page.next("shipped")["data"]) == {"type": "ack", "id": "1"}

    with connect(PROBE) as witness:
        witness.send(steps("report"))
        tell = {"tell": connection_id(witness.recv())}
        page.open("mine", doing(tell))
        connected = json.loads(witness.recv(SECONDS))["event"]
        assert connected["headers"]["Origin"] == origin, connected
        assert "Chrome" in connected["headers"]["User-Agent"], connected
        assert "permessage-deflate" in connected["headers"]["Sec-WebSocket-Extensions"], connected

        mine = connected["requestContext"]["connectionId"]
        api.post_to_connection(ConnectionId=mine, Data="ž 馬 🐎".encode())
        assert page.next("mine")["data"] == "ž 馬 🐎"
        api.delete_connection(ConnectionId=mine)
        closed = page.next("mine")
        assert (closed["type"], closed["code"], closed["wasClean"]) == ("close", 1000, True), closed

    # A browser sends a message in one frame, however long it is.
    page.open("long", PROBE)
    page.send("long", "x" * (32 * 1024 + 1))
    assert page.next("long")["code"] == 1009

    # Of a refusal a page learns nothing.
    assert page.open("refused", doing({"reply": {"statusCode": 403}}))["type"] == "error"
    assert page.next("refused")["code"] == 1006

    # Who asks for sub-protocols wants to be given one.
    assert page.open("silent", PROBE, "chat")["type"] == "error"
    chosen = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}
    assert page.open("chosen", doing({"reply": chosen}), "chat")["protocol"] == "chat"


class Page:
    """The functions of browser.html, called from outside."""

    def __init__(self, browser):
        self.browser = browser

    def open(self, *arguments):
        return self.browser.execute_async_script("start(...arguments)", *arguments)

    def send(self, *arguments):
        self.browser.execute_script("sockets[arguments[0]].send(arguments[1])", *arguments)

    def next(self, name):
        return self.browser.execute_async_script("next(...arguments)", name)


if __name__ == "__main__":
    main(drive)
