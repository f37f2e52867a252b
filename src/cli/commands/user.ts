import type { Command } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { type Account, openIdentity, parsePermissions } from "../../platform.ts";
import { type AllowanceFlags, addAllowanceOptions, collect } from "../options.ts";
import { readSecret } from "../read-secret.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

type AddFlags = AllowanceFlags & {
  readonly scope?: readonly string[];
  readonly mustChange?: boolean;
};

export function user(program: Command, terminal: Terminal): void {
  const command = program
    .command("user")
    .description("Make, list, change and remove the accounts of this machine's servers.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya user add operator --scope operator\n  $ atalaya user password operator\n  $ atalaya user list",
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

async function list({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
  await using home = await openHome(terminal);
  const accounts = await home.identity.accounts.list();
  if (json === true) {
    terminal.stdout.write(`${JSON.stringify(accounts.map(toJson), undefined, 2)}\n`);
  } else if (accounts.length === 0) {
    note(terminal, "There are no accounts. Make one: atalaya user add NAME");
  } else {
    const rows = accounts.map(({ username, permissions, isEnabled, lastLoginAt }) => [
      username,
      permissions.join(", "),
      isEnabled ? "yes" : "no",
      lastLoginAt === undefined
        ? "never"
        : lastLoginAt.toISOString().slice(0, 16).replace("T", " "),
    ]);
    terminal.stdout.write(renderTable(["Name", "May", "Enabled", "Last login"], rows));
  }
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
    created_at: account.createdAt.toISOString(),
    last_login_at: account.lastLoginAt?.toISOString() ?? null,
  };
}
