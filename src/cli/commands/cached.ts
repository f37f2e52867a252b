import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { type CachedModel, openHub, Platform, type VerifiedCopy } from "../../platform.ts";
import { type LaunchProgress, showLaunch } from "../render/launch-progress.ts";
import { showBytes } from "../render/quantities.ts";
import { renderTable } from "../render/table.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

const heads = ["Repository", "Hub", "Revision", "Size", "State"];

type CachedFlags = { readonly json?: boolean; readonly verify?: boolean };

export function cached(program: Command, terminal: Terminal): void {
  program
    .command("cached")
    .description("List the models in the hubs' caches on this machine, with their sizes.")
    .argument(
      "[model]",
      "with --verify: only this one, as NAME, NAME:SIZE, owner/name, or ollama:NAME",
    )
    .option("--verify", "read every file and compare it with the checksum it was downloaded under")
    .addOption(new Option("--json", "print the records as JSON"))
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya cached\n  $ atalaya cached --verify llama-3.2-vision-instruct:11b",
    )
    .action((model: string | undefined, flags: CachedFlags) =>
      flags.verify === true ? runVerify(model, flags, terminal) : runCached(model, flags, terminal),
    );
}

async function runCached(
  model: string | undefined,
  flags: CachedFlags,
  terminal: Terminal,
): Promise<void> {
  if (model !== undefined) {
    throw new PlatformError(
      "invalid_request",
      "A model is named with --verify only: atalaya cached lists all that there are.",
    );
  }
  const hub = await openHub(terminal.env);
  const models = await hub.list();
  if (flags.json === true) {
    terminal.stdout.write(`${JSON.stringify(models.map(toRecord), undefined, 2)}\n`);
  } else if (models.length === 0) {
    note(terminal, "No model is in the caches. Download one: atalaya pull OWNER/NAME");
  } else {
    terminal.stdout.write(renderTable(heads, models.map(toRow)));
  }
}

async function runVerify(
  model: string | undefined,
  flags: CachedFlags,
  terminal: Terminal,
): Promise<void> {
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({
    log: createLogger("silent"),
    settings,
    env: terminal.env,
  });
  const copies = await readShown(platform, model, terminal);
  if (flags.json === true) {
    terminal.stdout.write(`${JSON.stringify(copies.map(toVerifiedRecord), undefined, 2)}\n`);
  } else if (copies.length === 0) {
    note(terminal, "No model is in the caches. Download one: atalaya pull OWNER/NAME");
  } else {
    terminal.stdout.write(renderTable(heads, copies.map(toVerifiedRow)));
  }
  const damaged = copies.filter((copy) => copy.damaged.length > 0);
  for (const { title, damaged: files } of damaged) {
    for (const { path, problem } of files) note(terminal, `${title}: ${path} ${problem}.`);
  }
  if (damaged.length === 0) return;
  const numFiles = damaged.reduce((sum, copy) => sum + copy.damaged.length, 0);
  const remedies = damaged.map(({ remedy }) => remedy).filter((remedy) => remedy !== undefined);
  throw new PlatformError(
    "checksum_mismatch",
    `${numFiles === 1 ? "One file is" : `${numFiles} files are`} damaged. ${remedies.join(" ")}`,
  );
}

async function readShown(
  platform: Platform,
  model: string | undefined,
  terminal: Terminal,
): Promise<readonly VerifiedCopy[]> {
  using interrupt = listenForInterrupt();
  let shown: { readonly title: string; readonly progress: LaunchProgress } | undefined;
  try {
    return await platform.verifyCached({
      model,
      signal: interrupt.signal,
      onProgress: ({ title, ...progress }) => {
        if (shown?.title !== title) {
          shown?.progress[Symbol.dispose]();
          shown = { title, progress: showLaunch(terminal, title) };
        }
        shown.progress.onEvent({ type: "stage", stage: "comparing checksums", ...progress });
      },
    });
  } finally {
    shown?.progress[Symbol.dispose]();
  }
}

function toRow({ repo, hub, revision, refs, sizeBytes, ...rest }: CachedModel): string[] {
  const short = shortRevision(revision);
  const names = refs.length === 0 ? short : `${short} (${refs.join(", ")})`;
  return [repo, hub, names, showBytes(sizeBytes), describeState(rest)];
}

function toVerifiedRow({ title, place, revision, sizeBytes, ...result }: VerifiedCopy): string[] {
  return [title, place, shortRevision(revision), showBytes(sizeBytes), describeVerified(result)];
}

function shortRevision(revision: string | undefined): string {
  return revision?.replace(/^([0-9a-f]{12})[0-9a-f]{28}$/, "$1") ?? "";
}

function describeVerified({
  numSound,
  unknown,
  damaged,
}: Pick<VerifiedCopy, "numSound" | "unknown" | "damaged">): string {
  const files = (count: number): string => `${count} ${count === 1 ? "file" : "files"}`;
  return [
    damaged.length > 0 ? `${files(damaged.length)} damaged` : "",
    `${files(numSound)} sound`,
    unknown.length > 0 ? `${files(unknown.length)} without a checksum` : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function describeState({
  isWhole,
  partialBytes,
}: Pick<CachedModel, "isWhole" | "partialBytes">): string {
  if (isWhole) return "whole";
  return partialBytes === 0
    ? "partial"
    : `partial, and ${showBytes(partialBytes)} of files under way`;
}

/** In the words of the wire. */
function toRecord(model: CachedModel): Record<string, unknown> {
  return {
    repo: model.repo,
    hub: model.hub,
    revision: model.revision ?? null,
    refs: model.refs,
    size_bytes: model.sizeBytes,
    partial_bytes: model.partialBytes,
    is_whole: model.isWhole,
    directory: model.directory,
  };
}

function toVerifiedRecord(copy: VerifiedCopy): Record<string, unknown> {
  return {
    repo: copy.title,
    hub: copy.place,
    revision: copy.revision ?? null,
    size_bytes: copy.sizeBytes,
    num_sound: copy.numSound,
    unknown: copy.unknown,
    damaged: copy.damaged,
    directory: copy.directory,
  };
}
