// The AWS SDK for JavaScript as a client of @connections, and `ws` as the client at the other end.

import assert from "node:assert/strict";
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  ForbiddenException,
  GetConnectionCommand,
  GoneException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { Socket, connectionId, steps } from "./common.mjs";

const [, , , PROBE, ENDPOINT] = process.argv;
const ABSENT = "R1kmxc2VNjMCFIA=";
const BYTES_MAX = 128 * 1024;

const api = new ApiGatewayManagementApiClient({ endpoint: ENDPOINT });
const post = (ConnectionId, Data) => api.send(new PostToConnectionCommand({ ConnectionId, Data }));
const get = (ConnectionId) => api.send(new GetConnectionCommand({ ConnectionId }));
const remove = (ConnectionId) => api.send(new DeleteConnectionCommand({ ConnectionId }));

const socket = await Socket.open(PROBE, { headers: { "User-Agent": "probe/1" } });
socket.send(steps("report"));
const mine = connectionId(await socket.next());

for (const text of ["plain", "ž 馬 🐎", "x".repeat(BYTES_MAX)]) {
  await post(mine, text);
  assert.equal(await socket.next(), text);
}

const found = await get(mine);
assert.deepEqual(found.Identity, { SourceIp: "127.0.0.1", UserAgent: "probe/1" });
assert(found.ConnectedAt <= found.LastActiveAt);

await assert.rejects(post(mine, "x".repeat(BYTES_MAX + 1)), PayloadTooLargeException);
await assert.rejects(post("nobody", "hi"), { name: "BadRequestException" });

await remove(mine);
assert.equal((await socket.closed()).code, 1000);
for (const gone of [mine, ABSENT]) {
  await assert.rejects(post(gone, "hi"), GoneException);
  await assert.rejects(get(gone), GoneException);
  await assert.rejects(remove(gone), GoneException);
}

const credentials = { accessKeyId: "sluice", secretAccessKey: "guessed" };
const forger = new ApiGatewayManagementApiClient({ endpoint: ENDPOINT, credentials });
const absent = new GetConnectionCommand({ ConnectionId: ABSENT });
await assert.rejects(forger.send(absent), (error) => error.$metadata.httpStatusCode === 403);

// The stage is lost where an endpoint is the host alone.
const lost = new ApiGatewayManagementApiClient({ endpoint: new URL(ENDPOINT).origin });
await assert.rejects(lost.send(absent), ForbiddenException);
