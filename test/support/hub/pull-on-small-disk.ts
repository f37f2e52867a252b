/**
 * `node --import tsx pull-on-small-disk.ts HUB DIRECTORY`: pulls `a/b` onto a disk that something else
 * fills under way, then makes room and pulls again. Prints how each went.
 */
import { statfsSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../../../src/base/errors.ts";
import { Hub } from "../../../src/hub/hub.ts";
import { quickLimits } from "./limits.ts";

const [, , endpoint = "", directory = ""] = process.argv;
const ballast = join(directory, "ballast");
const hub = await Hub.fromEnvironment(
  { HF_ENDPOINT: endpoint, HF_HUB_CACHE: join(directory, "hub"), MODELSCOPE_CACHE: directory },
  { version: "0", limits: quickLimits },
);

async function pull(fills: boolean): Promise<string> {
  let isFull = false;
  await hub.pull({
    repo: "a/b",
    hub: "huggingface",
    revision: undefined,
    include: [],
    exclude: [],
    verify: false,
    signal: AbortSignal.timeout(20_000),
    onEvent: ({ type }) => {
      if (type !== "plan" || !fills || isFull) return;
      isFull = true;
      fill();
    },
  });
  return "whole";
}

/** Leave half of what the file needs. */
function fill(): void {
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 1_250_000));
}

const say = (text: string): unknown => process.stdout.write(`${text}\n`);
say(
  await pull(true).catch((error: unknown) =>
    error instanceof PlatformError ? `${error.code} ${error.message}` : String(error),
  ),
);
await rm(ballast);
say(await pull(false));
