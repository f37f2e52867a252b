import type { Command } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { type ApiKey, openIdentity, parsePermissions } from "../../platform.ts";
import { type AllowanceFlags, addAllowanceOptions, collect, duration } from "../options.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

type CreateFlags = SettingFlags &
  AllowanceFlags & {
    readonly scope?: readonly string[];
    readonly model?: readonly string[];
    /** Milliseconds. */
    readonly expires?: number;
    readonly json?: boolean;
  };

export function key(program: Command, terminal: Terminal): void {
  const command = program
    .command("key")
    .description("Make, list and revoke the API keys of this machine's servers.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya key create laptop\n  $ atalaya key create ci --scope inference --expires 90d --tokens-per-day 1000000\n  $ atalaya key list\n  $ atalaya key revoke ci",
    );
  addAllowanceOptions(
    command
      .command("create")
      .description("Make a key, and print it: nobody can read it again.")
      .argument("[name]", "what it is for", "unnamed")
      .option(
        "--scope <name>",
        "inference (the default), operator, admin, or a permission; may be repeated",
        collect,
      )
      .option("--model <uid>", "only this model may be asked; may be repeated", collect)
      .option(
        "--expires <duration>",
        "when it ends, such as 12h or 90d; never when left out",
        duration,
      )
      .option("--json", "print the record as JSON"),
  ).action((name: string, flags: CreateFlags) => create(name, flags, terminal));
  command
    .command("list")
    .description("List the keys, by their first letters.")
    .option("--json", "print the records as JSON")
    .action((flags: { readonly json?: boolean }) => list(flags, terminal));
  command
    .command("revoke")
    .description("Make a key worthless, from the next request on.")
    .argument("<key>", "its name, its id, or its first letters")
    .action((reference: string) => revoke(reference, terminal));
}

async function create(name: string, flags: CreateFlags, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const { key: record, secret } = await home.identity.keys.create(
    {
      name,
      permissions: parsePermissions(flags.scope ?? ["inference"]),
      models: flags.model,
      expiresAt: flags.expires === undefined ? undefined : new Date(Date.now() + flags.expires),
      allowance: flags,
    },
    "command line",
  );
  if (flags.json === true) {
    terminal.stdout.write(
      `${JSON.stringify({ ...toJson(record), api_key: secret }, undefined, 2)}\n`,
    );
    return;
  }
  terminal.stdout.write(`${secret}\n`);
  note(terminal, `The key "${name}" may: ${record.permissions.join(", ")}. It is shown this once.`);
}

async function list({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const keys = await home.identity.keys.list();
  if (json === true) {
    terminal.stdout.write(`${JSON.stringify(keys.map(toJson), undefined, 2)}\n`);
  } else if (keys.length === 0) {
    note(terminal, "There are no keys. Make one: atalaya key create NAME");
  } else {
    const heads = ["Name", "Begins with", "May", "Expires", "Last used", "Id"];
    terminal.stdout.write(renderTable(heads, keys.map(toRow)));
  }
}

async function revoke(reference: string, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const { keys } = home.identity;
  const record = await keys.find(reference);
  await keys.revoke(record.id, "command line");
  note(terminal, `The key "${record.name}" (${record.prefix}…) is revoked.`);
}

async function openHome({ env }: Terminal): ReturnType<typeof openIdentity> {
  const settings = readSettings({}, env);
  return await openIdentity(settings, createLogger(settings.logLevel));
}

function toRow(record: ApiKey): string[] {
  const { name, prefix, permissions, isEnabled, expiresAt, lastUsedAt, id } = record;
  const isOver = expiresAt !== undefined && expiresAt <= new Date();
  return [
    isEnabled ? name : `${name} (off)`,
    prefix,
    permissions.join(", "),
    expiresAt === undefined ? "never" : `${day(expiresAt)}${isOver ? " (over)" : ""}`,
    lastUsedAt === undefined ? "never" : lastUsedAt.toISOString().slice(0, 16).replace("T", " "),
    id,
  ];
}

const day = (date: Date): string => date.toISOString().slice(0, 10);

function toJson(record: ApiKey): object {
  return {
    id: record.id,
    name: record.name,
    prefix: record.prefix,
    permissions: record.permissions,
    models: record.models ?? null,
    enabled: record.isEnabled,
    requests_per_minute: record.allowance.requestsPerMinute ?? null,
    tokens_per_day: record.allowance.tokensPerDay ?? null,
    images_per_day: record.allowance.imagesPerDay ?? null,
    max_concurrent: record.allowance.maxConcurrent ?? null,
    created_at: record.createdAt.toISOString(),
    expires_at: record.expiresAt?.toISOString() ?? null,
    last_used_at: record.lastUsedAt?.toISOString() ?? null,
  };
}
