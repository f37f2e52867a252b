import { ApiError, AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { forgetToken } from "../../config/saved-token.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { note, type Terminal } from "../terminal.ts";

export function logout(program: Command, terminal: Terminal): void {
  const command = program
    .command("logout")
    .description("End the login to a server, and forget its token.")
    .addHelpText("after", "\nExample:\n  $ atalaya logout")
    .action((flags: SettingFlags) => runLogout(flags, terminal));
  addEndpointOption(command);
}

async function runLogout(flags: SettingFlags, terminal: Terminal): Promise<void> {
  const settings = readSettings(flags, terminal.env);
  // The token is forgotten here even if the server is gone, or does not know it any more.
  await new AtalayaClient(settings).logOut().catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
  });
  const wasThere = forgetToken(settings.home, settings.endpoint);
  note(terminal, wasThere ? `Logged out of ${settings.endpoint}.` : "There was no login.");
}
