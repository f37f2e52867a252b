/**
 * A server that is killed at any moment while everything is asked of it at once: what it acknowledged is there when
 * the next one starts, and what it was asked to end is gone. What it did not answer any more may be either.
 *
 * `ATALAYA_KILLS=50 npx vitest run test/e2e/kill-anytime.test.ts` does it fifty times.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiError, AtalayaClient } from "@atalaya/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

const numKills = Number(process.env["ATALAYA_KILLS"] ?? 5);
const seed = Number(process.env["ATALAYA_SEED"] ?? 1);

beforeAll(requireBuild);
afterAll(killAll);

/** Mulberry32: the moments are the same for the same seed. */
function randomOf(state: number): () => number {
  let at = state;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What was acknowledged; `undefined` where the server did not say any more. */
class Expected {
  readonly #present = new Map<string, boolean | undefined>();

  /** @returns whether it was acknowledged */
  async change(name: string, isThere: boolean, ask: () => Promise<unknown>): Promise<boolean> {
    this.#present.set(name, undefined);
    try {
      await ask();
      this.#present.set(name, isThere);
      return true;
    } catch (error) {
      // The server went away under way; anything else is a fault of its own.
      if ((error as ApiError).status !== 0 && !(error instanceof TypeError)) throw error;
      return false;
    }
  }

  check(there: ReadonlySet<string>, what: string): void {
    for (const [name, isThere] of this.#present) {
      if (isThere !== undefined)
        expect([what, name, there.has(name)]).toEqual([what, name, isThere]);
      // From now on it is what it turned out to be.
      this.#present.set(name, there.has(name));
    }
  }
}

async function serve(home: string): Promise<{ readonly server: Program; readonly url: string }> {
  const server = new Program(["serve", "--port", "0", "--no-autostart"], { ATALAYA_HOME: home });
  return { server, url: await server.says(/Serving at (http:\S+)\/v1/) };
}

async function json<Reply>(url: string, path: string, body?: object): Promise<Reply> {
  const response = await fetch(url + path, {
    method: body === undefined ? "GET" : "POST",
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  const reply = (await response.json()) as Reply;
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(reply)}`);
  return reply;
}

test(`killed ${numKills} times at any moment, it forgets nothing that it acknowledged (RL-01, G-09)`, {
  timeout: 60_000 + numKills * 30_000,
}, async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const random = randomOf(seed);
  const models = new Expected();
  const keys = new Expected();
  const batches = new Expected();
  const launches = new Expected();
  let numAcknowledged = 0;

  for (let round = 0; round <= numKills; round++) {
    const { server, url } = await serve(home);
    const client = new AtalayaClient({ endpoint: url });
    type Named = { readonly model_uid: string };
    const kept = await json<{ models: Named[] }>(url, "/v1/autostart/models");
    models.check(new Set(kept.models.map(({ model_uid: uid }) => uid)), "model");
    const known = await json<{ name: string }[]>(url, "/v1/admin/keys");
    keys.check(new Set(known.map(({ name }) => name)), "key");
    const done = new Set<string>();
    for await (const { metadata } of client.batches.list()) done.add(metadata?.["name"] ?? "");
    batches.check(done, "batch");
    const history = await json<Named[]>(url, "/v1/launch_history");
    launches.check(new Set(history.map(({ model_uid: uid }) => uid)), "launch");
    if (round === numKills) {
      server.child.kill("SIGTERM");
      expect((await server.ended).exitCode).toBe(0);
      break;
    }

    let isGone = false;
    const note = (isAcknowledged: boolean): void => {
      numAcknowledged += Number(isAcknowledged);
    };
    const workers = [
      async (at: number) => {
        const uid = `model-${at % 2}`;
        const body = { model_name: "demo", model_uid: uid, max_model_len: 256 };
        const ends = await models.change(uid, false, () =>
          client.terminate(uid).catch((error: ApiError) => {
            if (error.code !== "model_not_found") throw error;
          }),
        );
        if (ends)
          note(await models.change(uid, true, () => client.launch(body, { waitReady: false })));
      },
      async (at: number) => {
        const name = `key-${round}-${at}`;
        note(await keys.change(name, true, () => json(url, "/v1/admin/keys", { name })));
      },
      async (at: number) => {
        const name = `batch-${round}-${at}`;
        const line = {
          custom_id: "a",
          method: "POST",
          url: "/v1/completions",
          body: { model: "model-0", prompt: "a", max_tokens: 1 },
        };
        const acknowledged = await batches.change(name, true, async () => {
          const bytes = new Blob([`${JSON.stringify(line)}\n`]);
          const file = await client.files.upload(bytes, {
            filename: "lines.jsonl",
            purpose: "batch",
          });
          await client.batches.create({
            input_file_id: file.id,
            endpoint: "/v1/completions",
            completion_window: "24h",
            metadata: { name },
          });
        });
        note(acknowledged);
      },
      async (at: number) => {
        const uid = `launch-${round}-${at}`;
        const body = { model_name: "m", model_uid: uid, data: { at } };
        note(await launches.change(uid, true, () => json(url, "/v1/launch_history", body)));
      },
    ];
    const running = Promise.allSettled(
      workers.map(async (work) => {
        for (let at = 0; at < 200 && !isGone; at++) await work(at);
      }),
    );
    await sleep(50 + random() * 1_200);
    server.child.kill("SIGKILL");
    isGone = true;
    await server.ended;
    const failures = (await running).flatMap((one) =>
      one.status === "rejected" ? [one.reason] : [],
    );
    expect(failures).toEqual([]);
  }
  expect(numAcknowledged).toBeGreaterThan(numKills * 5);
});
