import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { type Account, openIdentity, parsePermissions } from "../../platform.ts";
import {
  type AllowanceChangeFlags,
  type AllowanceFlags,
  addAllowanceChangeOptions,
  addAllowanceOptions,
  addSwitchOptions,
  allowanceChangeOf,
  collect,
  isSwitchedOn,
  type SwitchFlags,
} from "../options.ts";
import { readSecret } from "../read-secret.ts";
import { limitsToJson, showLimits } from "../render/allowance.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

type AddFlags = AllowanceFlags & {
  readonly scope?: readonly string[];
  readonly mustChange?: boolean;
};

type SetFlags = AllowanceChangeFlags &
  SwitchFlags & {
    readonly scope?: readonly string[];
    readonly password?: boolean;
    readonly mustChange?: boolean;
    readonly json?: boolean;
  };

export function user(program: Command, terminal: Terminal): void {
  const command = program
    .command("user")
    .description("Make, list, change and remove the accounts of this machine's servers.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya user add operator --scope operator\n  $ atalaya user set operator --scope inference --tokens-per-day 100000\n  $ atalaya user set operator --password --must-change\n  $ atalaya user list",
    );
  addAllowanceOptions(
    command
      .command("add")
      .description("Make an account; its password is asked for, or read from standard input.")
      .argument("<name>")
      .option(
        "--scope <name>",
        "inference (the default), operator, admin, or a permission; may be repeated",
        collect,
      )
      .option("--must-change", "the password must be changed at the first login"),
  ).action((name: string, flags: AddFlags) => add(name, flags, terminal));
  command
    .command("list")
    .description("List the accounts.")
    .option("--json", "print the records as JSON")
    .action((flags: { readonly json?: boolean }) => list(flags, terminal));
  addSetOptions(
    command
      .command("set")
      .description("Change an account, and end its logins; what is not said stays.")
      .argument("<name>"),
  ).action((name: string, flags: SetFlags) => set(name, flags, terminal));
  command
    .command("password")
    .description("Give an account another password, and end its logins.")
    .argument("<name>")
    .action(async (name: string) => {
      await using home = await openHome(terminal);
      const { username } = await home.identity.accounts.find(name);
      const password = await readSecret(`New password for ${username}: `, terminal);
      await home.identity.accounts.change(username, { password }, "command line");
      note(terminal, `${username} has a new password; its logins are over.`);
    });
  command
    .command("scope")
    .description("Say anew what an account may do, and end its logins.")
    .argument("<name>")
    .argument("<scopes...>", "inference, operator, admin, or permissions")
    .action(async (name: string, scopes: string[]) => {
      await using home = await openHome(terminal);
      const permissions = parsePermissions(scopes);
      const { username } = await home.identity.accounts.change(
        name,
        { permissions },
        "command line",
      );
      note(terminal, `${username} may: ${permissions.join(", ")}.`);
    });
  for (const [verb, isEnabled] of [
    ["enable", true],
    ["disable", false],
  ] as const) {
    command
      .command(verb)
      .description(isEnabled ? "Let an account in again." : "Let an account in no more.")
      .argument("<name>")
      .action(async (name: string) => {
        await using home = await openHome(terminal);
        const { username } = await home.identity.accounts.change(
          name,
          { isEnabled },
          "command line",
        );
        note(terminal, `${username} is ${verb}d.`);
      });
  }
  command
    .command("remove")
    .description("Remove an account with its keys.")
    .argument("<name>")
    .action(async (name: string) => {
      await using home = await openHome(terminal);
      await home.identity.accounts.remove(name, "command line");
      note(terminal, `${name} is removed, with its keys.`);
    });
}

async function add(name: string, flags: AddFlags, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const permissions = parsePermissions(flags.scope ?? ["inference"]);
  const password = await readSecret(`Password for ${name}: `, terminal);
  const wish = { username: name, password, permissions, allowance: flags };
  const mustChangePassword = flags.mustChange === true;
  await home.identity.accounts.create({ ...wish, mustChangePassword }, "command line");
  note(terminal, `${name} may: ${permissions.join(", ")}.`);
}

function addSetOptions(command: Command): Command {
  command
    .option(
      "--scope <name>",
      "what it may: inference, operator, admin, or a permission; may be repeated",
      collect,
    )
    .option("--password", "another password: asked for, or read from standard input")
    .option("--must-change", "the password must be changed before anything else")
    .option("--no-must-change", "the password may stay as it is");
  addSwitchOptions(command);
  return addAllowanceChangeOptions(command).option("--json", "print the record as JSON");
}

async function set(name: string, flags: SetFlags, terminal: Terminal): Promise<void> {
  if (Object.keys(flags).every((flag) => flag === "json")) {
    throw new PlatformError(
      "invalid_request",
      "Nothing is to be changed. Say what, such as --scope operator or --disable; see atalaya user set --help.",
    );
  }
  await using home = await openHome(terminal);
  const { accounts } = home.identity;
  const { scope, mustChange, json, password: hasNewPassword, ...more } = flags;
  const permissions = scope === undefined ? undefined : parsePermissions(scope);
  const { username, generation } = await accounts.find(name);
  const account = await accounts.change(
    username,
    {
      permissions,
      password:
        hasNewPassword === true
          ? await readSecret(`New password for ${username}: `, terminal)
          : undefined,
      mustChangePassword: mustChange,
      isEnabled: isSwitchedOn(more),
      allowance: allowanceChangeOf(more),
    },
    "command line",
  );
  if (json === true) {
    terminal.stdout.write(`${JSON.stringify(toJson(account), undefined, 2)}\n`);
    return;
  }
  const ends = account.generation === generation ? "" : " Its logins are over.";
  note(terminal, `${describe(account)}${ends}`);
}

/** A sentence or two. */
function describe({
  username,
  permissions,
  isEnabled,
  mustChangePassword,
  allowance,
}: Account): string {
  const may = isEnabled ? `${username} may` : `${username} is disabled; it might`;
  const must = mustChangePassword ? " Its password must be changed before anything else." : "";
  return `${may}: ${permissions.join(", ")}. Limits: ${showLimits(allowance)}.${must}`;
}

async function list({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const accounts = await home.identity.accounts.list();
  if (json === true) {
    terminal.stdout.write(`${JSON.stringify(accounts.map(toJson), undefined, 2)}\n`);
  } else if (accounts.length === 0) {
    note(terminal, "There are no accounts. Make one: atalaya user add NAME");
  } else {
    const heads = ["Name", "May", "Enabled", "Last login", "Limits", "Password"];
    terminal.stdout.write(renderTable(heads, accounts.map(toRow)));
  }
}

function toRow(account: Account): string[] {
  const { username, permissions, isEnabled, lastLoginAt, allowance } = account;
  return [
    username,
    permissions.join(", "),
    isEnabled ? "yes" : "no",
    lastLoginAt === undefined ? "never" : lastLoginAt.toISOString().slice(0, 16).replace("T", " "),
    showLimits(allowance),
    account.mustChangePassword ? "must be changed" : "set",
  ];
}

async function openHome({ env }: Terminal): ReturnType<typeof openIdentity> {
  const settings = readSettings({}, env);
  return await openIdentity(settings, createLogger(settings.logLevel));
}

function toJson(account: Account): object {
  return {
    id: account.id,
    username: account.username,
    permissions: account.permissions,
    enabled: account.isEnabled,
    must_change_password: account.mustChangePassword,
    ...limitsToJson(account.allowance),
    created_at: account.createdAt.toISOString(),
    last_login_at: account.lastLoginAt?.toISOString() ?? null,
  };
}
