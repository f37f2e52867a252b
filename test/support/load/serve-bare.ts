/**
 * What `serve-fake.ts` is compared with: Fastify alone, sending as many events of the same kind, one
 * write each. Same arguments, same channel.
 */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fastify } from "fastify";

const [numTokens = 10, tokenDelayMs = 0] = process.argv.slice(2).map(Number);
const app = fastify();
let numRunning = 0;

async function* events(count: number): AsyncGenerator<string, void> {
  numRunning++;
  try {
    for (let i = 0; i < count; i++) {
      await sleep(tokenDelayMs);
      const choices = [{ index: 0, delta: { content: "a" }, logprobs: null, finish_reason: null }];
      const head = {
        id: "chatcmpl-bare",
        object: "chat.completion.chunk",
        created: 1,
        model: "fake",
      };
      yield `data: ${JSON.stringify({ ...head, choices })}\n\n`;
    }
    yield "data: [DONE]\n\n";
  } finally {
    numRunning--;
  }
}

app.post("/v1/chat/completions", (request, reply) => {
  const { stream, max_tokens: maxTokens = numTokens } = request.body as {
    stream?: boolean;
    max_tokens?: number;
  };
  if (stream !== true) return { id: "chatcmpl-bare", choices: [{ message: { content: "a" } }] };
  const text = events(Math.min(numTokens, maxTokens));
  return reply.type("text/event-stream").send(Readable.from(text, { objectMode: false }));
});
const url = await app.listen({ host: "127.0.0.1", port: 0 });
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  const residentBytes = process.memoryUsage.rss();
  process.send?.({ residentBytes, numRunning, cpuMs: (user + system) / 1_000 });
});
process.on("disconnect", () => process.exit());
process.send?.({ url });
