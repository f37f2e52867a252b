/**
 * What the platform itself costs a token and a request: its processor time over a fake engine, beside
 * Fastify alone that sends as many events of the same kind. Medians of turns taken in alternation.
 *
 *     npm run build && npx tsx bench/platform.ts [--streams 64] [--tokens 400] [--turns 5] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { type ForkedServer, forkFakeServer } from "../test/support/load/fake-server.ts";
import { openStream, readStream } from "../test/support/load/stream-client.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "64" },
    tokens: { type: "string", default: "400" },
    turns: { type: "string", default: "5" },
    json: { type: "string" },
  },
});
const [numStreams, numTokens, numTurns] = [values.streams, values.tokens, values.turns].map(Number);
const body = { model: "fake", messages: [{ role: "user", content: "hi" }], max_tokens: 1 };

if (numStreams === undefined || numTokens === undefined || numTurns === undefined) process.exit(2);
using ours = await forkFakeServer({ numTokens, tokenDelayMs: 0 });
using bare = await forkFakeServer({ numTokens, tokenDelayMs: 0, isBare: true });

/** Processor milliseconds of the server for one token. */
async function perToken(server: ForkedServer, tokens: number): Promise<number> {
  const before = (await server.state()).cpuMs;
  const one = async (): Promise<void> => {
    await readStream(await openStream(server.url, { ...body, max_tokens: tokens }));
  };
  await Promise.all(Array.from({ length: numStreams ?? 1 }, one));
  return ((await server.state()).cpuMs - before) / ((numStreams ?? 1) * tokens);
}

/** Processor milliseconds of the server for one request of one token, whole. */
async function perRequest(server: ForkedServer): Promise<number> {
  const before = (await server.state()).cpuMs;
  const count = 300;
  for (let i = 0; i < count; i++) {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await response.text();
  }
  return ((await server.state()).cpuMs - before) / count;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const tokens = { ours: [] as number[], bare: [] as number[] };
const requests = { ours: [] as number[], bare: [] as number[] };
for (let turn = -1; turn < numTurns; turn++) {
  for (const [name, server] of Object.entries({ ours, bare } as const)) {
    const kind = name === "ours" ? "ours" : "bare";
    const [token, request] = [await perToken(server, numTokens), await perRequest(server)];
    // The first turn warms up.
    if (turn < 0) continue;
    tokens[kind].push(token);
    requests[kind].push(request);
  }
}

const result = {
  what: "processor time of the server: a token of a stream, and a request of one token, beside Fastify alone",
  cpu: cpus()[0]?.model,
  streams: numStreams,
  tokens: numTokens,
  turns: numTurns,
  millisecondsPerToken: median(tokens.ours),
  bareMillisecondsPerToken: median(tokens.bare),
  tokenRatio: median(tokens.ours) / median(tokens.bare),
  millisecondsPerRequest: median(requests.ours),
  bareMillisecondsPerRequest: median(requests.bare),
  spreadOfTokens: [Math.min(...tokens.ours), Math.max(...tokens.ours)],
};
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}
