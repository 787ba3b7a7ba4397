"""A test with the fixture `sluice` of local-sim/README.md."""
import json

from websockets.sync.client import connect


def test_a_message_is_acknowledged(sluice):
    with connect(sluice["websocket"]) as socket:
        socket.send(json.dumps({"action": "chat", "room": "r1", "text": "hi", "id": "1"}))
        assert json.loads(socket.recv(timeout=30)) == {"type": "ack", "id": "1"}
