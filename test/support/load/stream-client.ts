/** A client that reads one streamed answer over a bare socket and keeps the times at which its tokens came. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Send the request; nothing is read yet. */
export async function openStream(url: string, body: object): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  const text = JSON.stringify({ ...body, stream: true });
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
  return socket;
}

export type ReadStream = {
  readonly isWhole: boolean;
  /** Of events, `performance.now()`. */
  readonly times: readonly number[];
};

/** Read to the end. Events that arrive together have one time. */
export async function readStream(socket: Socket): Promise<ReadStream> {
  const times: number[] = [];
  let tail = "";
  socket.on("data", (chunk) => {
    const text = chunk.toString("latin1");
    if (text.includes("data: {")) times.push(performance.now());
    tail = (tail + text).slice(-64);
  });
  await once(socket, "close");
  return { isWhole: tail.includes("[DONE]"), times };
}
