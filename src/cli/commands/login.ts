import { AtalayaClient } from "@atalaya/client";
import type { LoginReply } from "@atalaya/protocol";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { saveToken } from "../../config/saved-token.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { readSecret, readSecrets } from "../read-secret.ts";
import { note, type Terminal } from "../terminal.ts";

type LoginFlags = SettingFlags & {
  readonly username: string;
  readonly password?: string;
  readonly changePassword?: boolean;
};

export function login(program: Command, terminal: Terminal): void {
  const command = program
    .command("login")
    .description("Log in to a server; the commands that come after use the token.")
    .requiredOption("--username <name>", "the account")
    .option("--password <password>", "asked for, or read from standard input, when left out")
    .option(
      "--change-password",
      "give the account another password: asked for, or the next line of standard input",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya login --username operator\n  $ atalaya login --username operator --change-password",
    )
    .action((flags: LoginFlags) => runLogin(flags, terminal));
  addEndpointOption(command);
}

async function runLogin(flags: LoginFlags, terminal: Terminal): Promise<void> {
  const { endpoint, home } = readSettings({ ...flags, apiKey: "" }, terminal.env);
  const client = new AtalayaClient({ endpoint });
  const { username } = flags;
  if (flags.changePassword !== true && !(await client.asksForKeys())) {
    // As with Xinference, where scripts log in whether it is needed or not.
    note(
      terminal,
      `The server at ${endpoint} asks nobody to log in; every command works as it is.`,
    );
    return;
  }
  const { password, next } = await readPasswords(flags, terminal);
  let reply = await client.logIn(username, password);
  saveToken(home, endpoint, reply.access_token);
  // Who sits there is asked at once; what is piped in has no answer to a question it does not know.
  const isAsked = reply.must_change_password && terminal.stdin.isTTY;
  if (next !== undefined || isAsked) {
    if (isAsked && next === undefined) note(terminal, `${username} must have another password.`);
    reply = await changePassword({ endpoint, reply, password, next }, terminal);
    saveToken(home, endpoint, reply.access_token);
    note(terminal, `${username} has a new password; its other logins are over.`);
  }
  const hours =
    reply.expires_in === undefined ? "" : ` for ${Math.round(reply.expires_in / 3_600)} hours`;
  note(terminal, `Logged in at ${endpoint} as ${username}${hours}.`);
  if (reply.must_change_password) {
    note(
      terminal,
      `The password must be changed before anything else: atalaya login --username ${username} --change-password`,
    );
  }
}

/** `next` is there when another password is wanted. */
async function readPasswords(
  { username, password, changePassword = false }: LoginFlags,
  terminal: Terminal,
): Promise<{ readonly password: string; readonly next: string | undefined }> {
  const questions = [
    ...(password === undefined ? [`Password for ${username}: `] : []),
    ...(changePassword ? [`New password for ${username}: `] : []),
  ];
  const secrets = await readSecrets(questions, terminal);
  const next = changePassword ? (secrets.pop() ?? "") : undefined;
  if (next === "") {
    throw new PlatformError(
      "invalid_request",
      "There is no new password. Pipe the old and the new one in, a line each, or run this on a terminal.",
    );
  }
  if (next !== undefined && terminal.stdin.isTTY) await readAgain(next, terminal);
  return { password: password ?? secrets[0] ?? "", next };
}

async function changePassword(
  {
    endpoint,
    reply,
    password,
    next,
  }: {
    readonly endpoint: string;
    readonly reply: LoginReply;
    readonly password: string;
    readonly next: string | undefined;
  },
  terminal: Terminal,
): Promise<LoginReply> {
  const client = new AtalayaClient({ endpoint, apiKey: reply.access_token });
  return await client.changePassword(password, next ?? (await readNew(terminal)));
}

async function readNew(terminal: Terminal): Promise<string> {
  const next = await readSecret("New password: ", terminal);
  await readAgain(next, terminal);
  return next;
}

/** What nobody sees is easily mistyped. */
async function readAgain(secret: string, terminal: Terminal): Promise<void> {
  if ((await readSecret("The same again: ", terminal)) === secret) return;
  throw new PlatformError("invalid_request", "The two are not the same. Nothing is changed.");
}
