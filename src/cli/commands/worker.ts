import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import type { Terminal } from "../terminal.ts";

/** Xinference's way to add a machine, so that who types it is told of ours. */
export function worker(program: Command, _terminal: Terminal): void {
  program
    .command("worker", { hidden: true })
    .description("Not here: a server is supervisor and worker in one.")
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new PlatformError(
        "invalid_request",
        "A server of Atalaya is supervisor and worker in one, and no other machine joins it. Start it alone with atalaya serve; for more processes on this machine: atalaya scale UID --replica 2.",
      );
    });
}
