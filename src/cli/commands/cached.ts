import type { Command } from "commander";
import { type CachedModel, openHub } from "../../platform.ts";
import { showBytes } from "../render/quantities.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

const heads = ["Repository", "Hub", "Revision", "Size", "State"];

export function cached(program: Command, terminal: Terminal): void {
  program
    .command("cached")
    .description("List the models in the hubs' caches on this machine, with their sizes.")
    .option("--json", "print the records as JSON")
    .addHelpText("after", "\nExample:\n  $ atalaya cached")
    .action((flags: { readonly json?: boolean }) => runCached(flags, terminal));
}

async function runCached(flags: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
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

function toRow({ repo, hub, revision, refs, sizeBytes, ...rest }: CachedModel): string[] {
  const short =
    revision === undefined ? "" : revision.replace(/^([0-9a-f]{12})[0-9a-f]{28}$/, "$1");
  const names = refs.length === 0 ? short : `${short} (${refs.join(", ")})`;
  return [repo, hub, names, showBytes(sizeBytes), describeState(rest)];
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
