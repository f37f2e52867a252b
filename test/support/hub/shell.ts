/** The shipped program, in a shell where nobody has set anything about hubs but a test. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Program } from "../program.ts";
import { tinyCheckpoint } from "../serve.ts";
import type { TestClient } from "./pull-from.ts";
import type { HubFile } from "./repo-content.ts";

/** Variables of this process about hubs, unset, and those of `client` instead. */
export function shellOf(client: TestClient): NodeJS.ProcessEnv {
  const others = Object.keys(process.env).filter((name) =>
    /^(HF_|HUGGING|MODELSCOPE|.*proxy)/i.test(name),
  );
  const unset = Object.fromEntries(others.map((name) => [name, undefined]));
  return { ...unset, ATALAYA_HOME: join(client.home, "atalaya"), ...client.env };
}

/** @param env beside what `client` sets */
export function startIn(
  client: TestClient,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Program {
  return new Program(args, { ...shellOf(client), ...env });
}

export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let wait = 0; wait < 6_000; wait++) {
    if (await isSo()) return;
    await sleep(10);
  }
  throw new Error("it never came to that");
}

/** A checkpoint that can be loaded, as a hub would have it. */
export async function checkpointFiles(directory: string = tinyCheckpoint): Promise<HubFile[]> {
  const names = (await readdir(directory)).filter((name) => name !== "README.txt");
  return await Promise.all(
    names.map(async (path) => ({
      path,
      bytes: await readFile(join(directory, path)),
      isLfs: path.endsWith(".safetensors"),
    })),
  );
}
