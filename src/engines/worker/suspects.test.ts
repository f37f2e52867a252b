import { expect, test } from "vitest";
import { tokenId } from "../../base/ids.ts";
import type { EnginePrompt } from "../../generation/engine-prompt.ts";
import { Suspects } from "./suspects.ts";

const prompt = (...ids: number[]): EnginePrompt => ({ tokenIds: ids.map(tokenId), pictures: [] });
const { signal } = new AbortController();
const poison = prompt(6, 6, 6);
const innocent = prompt(1, 2, 3);

test("a request that was there twice when a worker ended is not answered again (WK-10)", async () => {
  const suspects = new Suspects();
  for (let time = 0; time < 2; time++) {
    const witness = await suspects.admit(poison, signal);
    witness.accuse();
    witness.leave(false);
  }
  await expect(suspects.admit(poison, signal)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringMatching(/ended 2 times while it answered this request/),
  });
  (await suspects.admit(innocent, signal)).leave(true);
});

test("one that was only beside it is answered, in its turn, and is free again (WK-10)", async () => {
  const suspects = new Suspects();
  const both = [await suspects.admit(poison, signal), await suspects.admit(innocent, signal)];
  for (const witness of both) {
    witness.accuse();
    witness.leave(false);
  }
  // Both come again at once: the second waits for the first, and is not there when a worker ends.
  const first = await suspects.admit(poison, signal);
  const order: string[] = [];
  const second = suspects.admit(innocent, signal).then((witness) => {
    order.push("innocent");
    return witness;
  });
  const stranger = await suspects.admit(prompt(9), signal);
  stranger.leave(true);
  order.push("poison");
  first.accuse();
  first.leave(false);
  (await second).leave(true);
  expect(order).toEqual(["poison", "innocent"]);
  await expect(suspects.admit(poison, signal)).rejects.toMatchObject({ code: "invalid_request" });
  // No suspect any more: two are answered together.
  const [one, two] = [
    await suspects.admit(innocent, signal),
    await suspects.admit(innocent, signal),
  ];
  one.leave(true);
  two.leave(true);
});

test("one that gives up waiting lets the next one in", async () => {
  const suspects = new Suspects();
  const witness = await suspects.admit(innocent, signal);
  witness.accuse();
  witness.leave(false);
  const running = await suspects.admit(innocent, signal);
  const abort = new AbortController();
  const given = suspects.admit(innocent, abort.signal);
  const waiting = suspects.admit(innocent, signal);
  abort.abort(new Error("enough"));
  running.leave(true);
  await expect(given).rejects.toThrow("enough");
  (await waiting).leave(true);
});
