import type { Command } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import type { Terminal } from "../terminal.ts";

export function vllmModels(program: Command, terminal: Terminal): void {
  program
    .command("vllm-models")
    .description("List the models that vLLM runs on this machine.")
    .addHelpText("after", "\nExample:\n  $ atalaya vllm-models")
    .action(async () => {
      const settings = readSettings({}, terminal.env);
      await using platform = new Platform({ log: createLogger("silent"), settings });
      const { chat, generate } = await platform.vllmModels();
      const line = (names: readonly string[]): string => names.join(", ") || "none on this machine";
      terminal.stdout.write(
        `VLLM supported model families:\n  chat: ${line(chat)}\n  generate: ${line(generate)}\n`,
      );
    });
}
