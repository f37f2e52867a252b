/**
 * A server over a fake engine in a process of its own, so that its memory can be told from its clients'.
 *
 * Arguments: tokens of an answer, milliseconds between them. Speaks over the channel of `fork`: its
 * address when it listens, then how it is whenever it is asked.
 */
import { preferSmallHeap } from "../../../src/base/small-heap.ts";
import { serveFakeEngine } from "../serve.ts";

preferSmallHeap();
const [numTokens = 10, tokenDelayMs = 0] = process.argv.slice(2).map(Number);
const server = await serveFakeEngine(
  { text: "a".repeat(numTokens), tokenDelayMs },
  { contextLength: numTokens + 1_000, maxNumSeqs: 1_000 },
);
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({
    residentBytes: process.memoryUsage.rss(),
    numRunning: server.engine.numRunning,
    cpuMs: (user + system) / 1_000,
  });
});
process.on("disconnect", () => process.exit());
process.send?.({ url: server.url });
