/**
 * A worker that loads as it should and then does what no worker may: `misbehaving-worker.ts SOCKET`. The first
 * token of a prompt says what.
 */
import { createServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { Engine as EngineService } from "@atalaya/protocol/engine";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** How it misbehaves, by the first token of the prompt. */
export const misdeeds = {
  garbage: 1,
  halfFrame: 2,
  hugeFrame: 3,
  silentExit: 4,
  unknownToken: 5,
  none: 9,
} as const;

const frame = (length: number): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return head;
};

/** [token_id = 7], then a finish "length". */
const answer = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 4, 0x12, 2, 8, 7]),
  Buffer.from([0, 0, 0, 0, 10, 0x1a, 8, 0x0a, 6, ...Buffer.from("length")]),
]);

async function misbehave(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  // A frame's head of 5 bytes, then field 1 (packed ids): its tag, its length, the first id.
  const token = Buffer.concat(chunks)[7] ?? 0;
  response.writeHead(200, { "content-type": "application/grpc+proto" });
  switch (token) {
    case misdeeds.garbage:
      response.write(Buffer.alloc(100_000, 0xa5));
      return;
    case misdeeds.halfFrame:
      response.write(Buffer.concat([frame(100), Buffer.alloc(10)]));
      response.stream.close();
      return;
    case misdeeds.hugeFrame: {
      response.write(frame(2 ** 30));
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1_000_000)));
      };
      response.on("drain", more);
      more();
      return;
    }
    case misdeeds.silentExit:
      process.exit(0);
      return;
    case misdeeds.unknownToken:
      response.write(Buffer.from([0, 0, 0, 0, 5, 0x12, 3, 8, 0xff, 0x7f]));
      return;
    default:
      response.addTrailers({ "grpc-status": "0" });
      response.end(answer);
  }
}

function listen(socket: string): void {
  const model = {
    contextLength: 100,
    vocabSize: 64,
    numEmbeddings: 72,
    imageTokenId: 64,
    bosTokenId: 1,
    stopTokenIds: [2],
    visionTokensPerTile: 17,
  };
  const adapter = connectNodeAdapter({
    routes: (router) =>
      router.service(EngineService, {
        async *load() {
          yield { reply: { case: "model" as const, value: model } };
        },
        stats: () => ({}),
        health: () => ({ state: "ready" }),
      }),
  });
  createServer((request, response) => {
    if (request.url.endsWith("/Generate")) void misbehave(request, response);
    else adapter(request, response);
  }).listen(socket, () => process.stdout.write("ready\n"));
  process.stdin.resume().once("close", () => process.exit(0));
}

const [, program, socket] = process.argv;
if (socket !== undefined && program?.includes("misbehaving-worker")) listen(socket);
