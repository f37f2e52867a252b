import { execFile } from "node:child_process";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { packageRoot } from "../../config/package.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { toLaunchable } from "../find-model.ts";
import { systemdUnit } from "../systemd-unit.ts";
import { note, type Terminal } from "../terminal.ts";

const run = promisify(execFile);

type ServiceFlags = SettingFlags & {
  readonly system?: boolean;
  readonly user?: string;
  readonly ollama?: boolean;
  readonly print?: boolean;
};

/** What a server reads from its environment, and a service would not see of yours. */
const carried =
  /^(ATALAYA_(HOME|HUB|MODEL_ROOTS|MEDIA_ROOT|LOG_LEVEL)|HF_(HOME|HUB_CACHE|ENDPOINT)|MODELSCOPE_CACHE|OLLAMA_MODELS|XINFERENCE_MODEL_SRC)$/;

export function service(program: Command, terminal: Terminal): void {
  const command = program
    .command("service")
    .description("Keep a server running with systemd: it starts with the machine and comes back.");
  command
    .command("install")
    .description("Write the unit, start it, and have it start by itself from now on.")
    .argument("[models...]", "what to launch on it, as for serve")
    .option("--system", "for the whole machine (needs root), not for you alone")
    .option("--user <name>", "with --system: the account it runs under")
    .option("--host <address>", "address to listen on")
    .option("-p, --port <number>", "port to listen on")
    .option("--ollama", "listen on port 11434 too, where Ollama's clients look")
    .option("--print", "print the unit, and change nothing")
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya service install ./Llama-3.2-11B-Vision-Instruct
  $ sudo atalaya service install --system --user atalaya llama-3.2-vision-instruct
  $ atalaya service install --print demo`,
    )
    .action((models: string[], flags: ServiceFlags) => install(models, flags, terminal));
  command
    .command("uninstall")
    .description("Stop the server and remove its unit; models and settings stay.")
    .option("--system", "the one for the whole machine")
    .addHelpText("after", "\nExample:\n  $ atalaya service uninstall")
    .action((flags: ServiceFlags) => uninstall(flags, terminal));
}

async function install(
  models: readonly string[],
  flags: ServiceFlags,
  terminal: Terminal,
): Promise<void> {
  if (flags.user !== undefined && flags.system !== true) {
    throw new PlatformError("invalid_request", "--user goes with --system.");
  }
  // Whatever cannot be listened on is refused here, not in a log that nobody reads.
  readSettings(flags, terminal.env);
  const unit = systemdUnit({
    command: [process.execPath, join(packageRoot(), "dist/src/cli/main.js")],
    serveArguments: [
      ...models.map((model) => toLaunchable(model, terminal.cwd)),
      ...(flags.host === undefined ? [] : ["--host", flags.host]),
      ...(flags.port === undefined ? [] : ["--port", flags.port]),
      ...(flags.ollama === true ? ["--ollama"] : []),
      "--log-level",
      "info",
    ],
    environment: Object.fromEntries(
      Object.entries(terminal.env).flatMap(([name, value]) =>
        carried.test(name) && value !== undefined ? [[name, value]] : [],
      ),
    ),
    scope: flags.system === true ? "system" : "user",
    user: flags.system === true ? (flags.user ?? terminal.env["SUDO_USER"]) : undefined,
  });
  if (flags.print === true) {
    terminal.stdout.write(unit);
    return;
  }
  await requireSystemd(flags);
  const path = unitPath(flags);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, unit).catch((error: NodeJS.ErrnoException) => {
    throw cannotWrite(path, error);
  });
  await systemctl(flags, "daemon-reload");
  await systemctl(flags, "enable", "--now", "atalaya.service");
  const scope = flags.system === true ? "" : " --user";
  note(terminal, `The server runs. Its unit is ${path}.`);
  note(terminal, `How it is:    systemctl${scope} status atalaya`);
  note(terminal, `What it says: journalctl${scope} -u atalaya -f`);
  if (flags.system !== true) {
    note(
      terminal,
      `It ends when you log out, unless you let it stay: loginctl enable-linger ${userInfo().username}`,
    );
  }
}

async function uninstall(flags: ServiceFlags, terminal: Terminal): Promise<void> {
  const path = unitPath(flags);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new PlatformError("invalid_request", `There is no unit ${path}; nothing to remove.`);
  }
  await requireSystemd(flags);
  await systemctl(flags, "disable", "--now", "atalaya.service");
  await rm(path).catch((error: NodeJS.ErrnoException) => {
    throw cannotWrite(path, error);
  });
  await systemctl(flags, "daemon-reload");
  note(terminal, `Stopped, and removed ${path}.`);
}

function unitPath({ system }: ServiceFlags): string {
  return system === true
    ? "/etc/systemd/system/atalaya.service"
    : join(homedir(), ".config/systemd/user/atalaya.service");
}

async function requireSystemd(flags: ServiceFlags): Promise<void> {
  try {
    await run("systemctl", [...scopeOf(flags), "show-environment"]);
  } catch (error) {
    throw new PlatformError(
      "invalid_request",
      `No systemd answers here${flags.system === true ? "" : " for your account"}, so nothing was installed. See the unit with --print, or start the server yourself: atalaya serve`,
      { cause: error },
    );
  }
}

async function systemctl(flags: ServiceFlags, ...words: readonly string[]): Promise<void> {
  try {
    await run("systemctl", [...scopeOf(flags), ...words]);
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? `${error.stderr}`.trim() : "";
    throw new PlatformError(
      "invalid_request",
      `systemctl ${words.join(" ")} failed: ${said.split("\n").at(-1) ?? "it did not say why"}`,
      { cause: error },
    );
  }
}

function scopeOf({ system }: ServiceFlags): string[] {
  return system === true ? [] : ["--user"];
}

function cannotWrite(path: string, error: NodeJS.ErrnoException): PlatformError {
  return new PlatformError("forbidden", `${path} cannot be changed: ${error.message}`, {
    cause: error,
  });
}
