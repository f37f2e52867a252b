import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import {
  type ApiKey,
  type DayUsage,
  type KeyChange,
  openIdentity,
  parsePermissions,
} from "../../platform.ts";
import {
  type AllowanceChangeFlags,
  type AllowanceFlags,
  addAllowanceChangeOptions,
  addAllowanceOptions,
  addSwitchOptions,
  allowanceChangeOf,
  collect,
  duration,
  isSwitchedOn,
  type SwitchFlags,
} from "../options.ts";
import { limitsToJson, showLimits } from "../render/allowance.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

type CreateFlags = SettingFlags &
  AllowanceFlags & {
    readonly description?: string;
    readonly scope?: readonly string[];
    readonly model?: readonly string[];
    /** Milliseconds. */
    readonly expires?: number;
    readonly json?: boolean;
  };

type SetFlags = AllowanceChangeFlags &
  SwitchFlags & {
    readonly name?: string;
    readonly description?: string;
    readonly scope?: readonly string[];
    readonly model?: readonly string[];
    readonly allModels?: boolean;
    /** Milliseconds. */
    readonly expires?: number | "never";
    readonly json?: boolean;
  };

const keyArgument = "its name, its id, or its first letters";

export function key(program: Command, terminal: Terminal): void {
  const command = program
    .command("key")
    .description("Make, list, change and revoke the API keys of this machine's servers.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya key create laptop\n  $ atalaya key create ci --scope inference --expires 90d --tokens-per-day 1000000\n  $ atalaya key set ci --tokens-per-day none --expires 30d\n  $ atalaya key list\n  $ atalaya key revoke ci",
    );
  addAllowanceOptions(
    command
      .command("create")
      .description("Make a key, and print it: nobody can read it again.")
      .argument("[name]", "what it is for", "unnamed")
      .option("--description <text>", "more about it")
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
  addSetOptions(
    command
      .command("set")
      .description("Change a key, from the next request on; what is not said stays.")
      .argument("<key>", keyArgument),
  ).action((reference: string, flags: SetFlags) => set(reference, flags, terminal));
  command
    .command("revoke")
    .description("Make a key worthless, from the next request on.")
    .argument("<key>", keyArgument)
    .action((reference: string) => revoke(reference, terminal));
}

async function create(name: string, flags: CreateFlags, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const { key: record, secret } = await home.identity.keys.create(
    {
      name,
      description: flags.description,
      permissions: parsePermissions(flags.scope ?? ["inference"]),
      models: flags.model,
      expiresAt: flags.expires === undefined ? undefined : new Date(Date.now() + flags.expires),
      allowance: flags,
    },
    "command line",
  );
  if (flags.json === true) {
    terminal.stdout.write(
      `${JSON.stringify({ ...toJson(record, unused), api_key: secret }, undefined, 2)}\n`,
    );
    return;
  }
  terminal.stdout.write(`${secret}\n`);
  note(terminal, `The key "${name}" may: ${record.permissions.join(", ")}. It is shown this once.`);
}

function addSetOptions(command: Command): Command {
  command
    .option("--name <name>", "what it is called")
    .option("--description <text>", "more about it")
    .option(
      "--scope <name>",
      "what it may: inference, operator, admin, or a permission; may be repeated",
      collect,
    )
    .addOption(
      new Option("--model <uid>", "only this model may be asked; may be repeated").argParser(
        collect,
      ),
    )
    .addOption(new Option("--all-models", "every model may be asked").conflicts("model"))
    .option(
      "--expires <duration>",
      "when it ends, from now, such as 12h or 90d; or never",
      (text: string) => (text === "never" ? text : duration(text)),
    );
  addAllowanceChangeOptions(command);
  return addSwitchOptions(command).option("--json", "print the record as JSON");
}

async function set(reference: string, flags: SetFlags, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const { keys, usage } = home.identity;
  const { name, description, scope, model, allModels, expires, json, ...more } = flags;
  const change: KeyChange = {
    name,
    description,
    permissions: scope === undefined ? undefined : parsePermissions(scope),
    models: allModels === true ? null : model,
    expiresAt: endOf(expires),
    isEnabled: isSwitchedOn(more),
    allowance: allowanceChangeOf(more),
  };
  if (Object.keys(flags).every((flag) => flag === "json")) {
    throw new PlatformError(
      "invalid_request",
      "Nothing is to be changed. Say what, such as --expires 90d or --tokens-per-day 100000; see atalaya key set --help.",
    );
  }
  const { id } = await keys.find(reference);
  const record = await keys.change(id, change, "command line");
  if (json === true) {
    const used = await usage.usedToday(id);
    terminal.stdout.write(`${JSON.stringify(toJson(record, used), undefined, 2)}\n`);
    return;
  }
  const { permissions, models, isEnabled, expiresAt, allowance } = record;
  note(
    terminal,
    `The key "${record.name}" (${record.prefix}…) ${isEnabled ? "may" : "is off; it might"}: ${permissions.join(", ")}. Models: ${models?.join(", ") ?? "all"}. Limits: ${showLimits(allowance)}. Expires: ${expiresAt === undefined ? "never" : minute(expiresAt)}.`,
  );
}

/** `null` is never; `undefined` as it was. */
function endOf(expires: number | "never" | undefined): Date | null | undefined {
  if (expires === "never") return null;
  return expires === undefined ? undefined : new Date(Date.now() + expires);
}

async function list({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const { keys: store, usage } = home.identity;
  const keys = await Promise.all(
    (await store.list()).map(async (record) => ({
      record,
      used: await usage.usedToday(record.id),
    })),
  );
  if (json === true) {
    const records = keys.map(({ record, used }) => toJson(record, used));
    terminal.stdout.write(`${JSON.stringify(records, undefined, 2)}\n`);
  } else if (keys.length === 0) {
    note(terminal, "There are no keys. Make one: atalaya key create NAME");
  } else {
    const heads = ["Name", "Begins with", "May", "Expires", "Last used", "Limits", "Models", "Id"];
    const rows = keys.map(({ record, used }) => toRow(record, used));
    terminal.stdout.write(renderTable(heads, rows));
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

function toRow(record: ApiKey, used: DayUsage): string[] {
  const { name, prefix, permissions, isEnabled, expiresAt, lastUsedAt, models, id } = record;
  const isOver = expiresAt !== undefined && expiresAt <= new Date();
  return [
    isEnabled ? name : `${name} (off)`,
    prefix,
    permissions.join(", "),
    expiresAt === undefined ? "never" : `${day(expiresAt)}${isOver ? " (over)" : ""}`,
    lastUsedAt === undefined ? "never" : minute(lastUsedAt),
    showLimits(record.allowance, used),
    models?.join(", ") ?? "all",
    id,
  ];
}

const day = (date: Date): string => date.toISOString().slice(0, 10);
const minute = (date: Date): string => date.toISOString().slice(0, 16).replace("T", " ");
const unused: DayUsage = { requests: 0, tokens: 0, images: 0 };

function toJson(record: ApiKey, used: DayUsage): object {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    prefix: record.prefix,
    owner: record.owner ?? null,
    permissions: record.permissions,
    models: record.models ?? null,
    enabled: record.isEnabled,
    ...limitsToJson(record.allowance),
    created_at: record.createdAt.toISOString(),
    expires_at: record.expiresAt?.toISOString() ?? null,
    last_used_at: record.lastUsedAt?.toISOString() ?? null,
    used_today: used,
  };
}
