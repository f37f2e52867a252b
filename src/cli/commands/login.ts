import { AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { saveToken } from "../../config/saved-token.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { readSecret } from "../read-secret.ts";
import { note, type Terminal } from "../terminal.ts";

type LoginFlags = SettingFlags & { readonly username: string; readonly password?: string };

export function login(program: Command, terminal: Terminal): void {
  const command = program
    .command("login")
    .description("Log in to a server; the commands that come after use the token.")
    .requiredOption("--username <name>", "the account")
    .option("--password <password>", "asked for, or read from standard input, when left out")
    .addHelpText("after", "\nExample:\n  $ atalaya login --username operator")
    .action((flags: LoginFlags) => runLogin(flags, terminal));
  addEndpointOption(command);
}

async function runLogin(flags: LoginFlags, terminal: Terminal): Promise<void> {
  const { endpoint, home } = readSettings({ ...flags, apiKey: "" }, terminal.env);
  const client = new AtalayaClient({ endpoint });
  if (!(await client.asksForKeys())) {
    // As with Xinference, where scripts log in whether it is needed or not.
    note(
      terminal,
      `The server at ${endpoint} asks nobody to log in; every command works as it is.`,
    );
    return;
  }
  const password =
    flags.password ?? (await readSecret(`Password for ${flags.username}: `, terminal));
  const reply = await client.logIn(flags.username, password);
  saveToken(home, endpoint, reply.access_token);
  const hours =
    reply.expires_in === undefined ? "" : ` for ${Math.round(reply.expires_in / 3_600)} hours`;
  note(terminal, `Logged in at ${endpoint} as ${flags.username}${hours}.`);
  if (reply.must_change_password) {
    note(terminal, "The password must be changed before anything else: POST /v1/auth/password.");
  }
}
