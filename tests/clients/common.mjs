// What the Node clients share: a socket of `ws` that can be waited for, and how the probe is spoken to.

import { EventEmitter, once } from "node:events";
import WebSocket from "ws";

const SECONDS = 30;
const patience = () => ({ signal: AbortSignal.timeout(SECONDS * 1000) });

export class Socket {
  #socket;
  #texts = [];
  #arrived = new EventEmitter();
  #closed;

  constructor(socket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      this.#texts.push(data.toString());
      this.#arrived.emit("text");
    });
    // A connection that the gateway closes is no error of the client.
    socket.on("error", () => {});
    this.#closed = once(socket, "close", patience());
    this.#closed.catch(() => {});
  }

  static async open(url, options = {}, protocols = []) {
    const socket = new WebSocket(url, protocols, options);
    const opened = new Socket(socket);
    await once(socket, "open", patience());
    return opened;
  }

  get extensions() {
    return this.#socket.extensions;
  }

  get protocol() {
    return this.#socket.protocol;
  }

  send(data) {
    this.#socket.send(data);
  }

  // The next text.
  async next() {
    while (this.#texts.length === 0) await once(this.#arrived, "text", patience());
    return this.#texts.shift();
  }

  async ping() {
    this.#socket.ping();
    await once(this.#socket, "pong", patience());
  }

  // How the connection was closed.
  async closed() {
    const [code, reason] = await this.#closed;
    return { code, reason: reason.toString() };
  }

  close() {
    this.#socket.close();
  }
}

// A message that tells the probe what to do.
export const steps = (...steps) => JSON.stringify({ do: steps });

// The connection's id in the text of a report.
export const connectionId = (report) => JSON.parse(report).event.requestContext.connectionId;
