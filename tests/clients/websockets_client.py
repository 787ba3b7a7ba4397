"""The Python library websockets as a client."""

import json

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from common import PROBE, SHIPPED, doing, steps


def main():
    with connect(SHIPPED) as socket:
        for number in range(10):
            socket.send(json.dumps({"action": "chat", "room": "r", "id": number}))
            assert json.loads(socket.recv()) == {"type": "ack", "id": number}

    with connect(PROBE) as socket:
        # It offers compression; the gateway takes none.
        assert not socket.protocol.extensions, socket.protocol.extensions
        socket.ping().wait(timeout=10)
        # Each piece of an iterable is a frame.
        message = steps({"reply": {"statusCode": 200, "body": "whole"}})
        socket.send(iter([message[:-1], ',"more":"', "x" * 32_000, "x" * 32_000, '"}']))
        assert socket.recv() == "whole"
        socket.send(steps({"throw": "told to"}))
        assert json.loads(socket.recv())["message"] == "Internal server error"
        closed_with(socket, 1009, "x" * (32 * 1024 + 1))

    with connect(PROBE) as socket:
        closed_with(socket, 1003, b"\x00")

    check_refused(403, doing({"reply": {"statusCode": 403}}))
    check_refused(403, PROBE + "/nowhere")

    chosen = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "news"}}
    with connect(doing({"reply": chosen}), subprotocols=["chat", "news"]) as socket:
        assert socket.subprotocol == "news"
    with connect(PROBE, subprotocols=["chat", "news"]) as socket:
        assert socket.subprotocol is None


def closed_with(socket, code, message):
    """The gateway closes the connection for what is sent."""
    try:
        socket.send(message)
        socket.recv()
    except ConnectionClosed as error:
        assert error.rcvd.code == code, error
    else:
        raise AssertionError("still open")


def check_refused(status, url):
    """The handshake is refused with this status."""
    try:
        connect(url).close()
    except InvalidStatus as error:
        assert error.response.status_code == status, error
    else:
        raise AssertionError("opened")


main()
