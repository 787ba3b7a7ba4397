// The Node library `ws` as a client.

import assert from "node:assert/strict";
import { Socket, steps } from "./common.mjs";

const [, , SHIPPED, PROBE] = process.argv;
const doing = (step) => `${PROBE}?do=${encodeURIComponent(JSON.stringify([step]))}`;

const shipped = await Socket.open(SHIPPED);
for (let id = 0; id < 10; id++) {
  shipped.send(JSON.stringify({ action: "chat", room: "r", id }));
  assert.deepEqual(JSON.parse(await shipped.next()), { type: "ack", id });
}
shipped.close();

const socket = await Socket.open(PROBE);
// It offers compression; the gateway takes none.
assert.equal(socket.extensions, "");
await socket.ping();
socket.send(steps({ throw: "told to" }));
assert.equal(JSON.parse(await socket.next()).message, "Internal server error");
socket.send("x".repeat(32 * 1024 + 1));
assert.equal((await socket.closed()).code, 1009);

const binary = await Socket.open(PROBE);
binary.send(Buffer.from([0]));
assert.equal((await binary.closed()).code, 1003);

await assert.rejects(Socket.open(doing({ reply: { statusCode: 403 } })), /403/);
await assert.rejects(Socket.open(doing({ throw: "told to" })), /502/);
await assert.rejects(Socket.open(`${PROBE}/nowhere`), /403/);

const headers = { "Sec-WebSocket-Protocol": "news" };
const chosen = await Socket.open(doing({ reply: { statusCode: 200, headers } }), {}, ["chat", "news"]);
assert.equal(chosen.protocol, "news");
chosen.close();
await assert.rejects(Socket.open(PROBE, {}, ["chat", "news"]), /subprotocol/);
