// A test with the set-up of local-sim/README.md.
import { expect, inject, test } from "vitest";
import WebSocket from "ws";

test("a message is acknowledged", async () => {
  const socket = new WebSocket(inject("sluice").websocket);
  const answer = new Promise((resolve) => socket.on("message", (data) => resolve(JSON.parse(data))));
  socket.on("open", () => socket.send(JSON.stringify({ action: "chat", room: "r1", text: "hi", id: "1" })));
  expect(await answer).toEqual({ type: "ack", id: "1" });
  socket.close();
});
