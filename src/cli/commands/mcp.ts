import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { packageVersion } from "../../config/package.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import type { AnswerSource } from "../answer-source.ts";
import { openSource } from "../find-model.ts";
import {
  addEndpointOption,
  addLoadOptions,
  addLogOption,
  addQuantizationOptions,
  addSamplingOptions,
  collect,
  type LoadFlags,
  type SamplingFlags,
} from "../options.ts";
import { aborted, listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type McpFlags = SettingFlags & LoadFlags & SamplingFlags & { readonly folder?: readonly string[] };

export function mcp(program: Command, terminal: Terminal): void {
  const command = program
    .command("mcp")
    .description(
      "Serve the tool look(image, question) to a client of the Model Context Protocol, over standard input and output.\nUses a running server when MODEL is a uid there, else loads the model with the first question.",
    )
    .argument("<model>", "uid of a running model, name of a model, checkpoint directory, or demo")
    .option(
      "--folder <directory>",
      "folder whose pictures may be looked at; may be repeated (default: the client's roots, else this directory)",
      collect,
    )
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya mcp demo --folder ./pictures
  $ claude mcp add look -- atalaya mcp llama-3.2-vision-instruct --folder ~/Pictures`,
    )
    .action((model: string, flags: McpFlags) => runMcp(model, flags, terminal));
  addLogOption(
    addQuantizationOptions(addLoadOptions(addSamplingOptions(addEndpointOption(command)))),
  );
}

async function runMcp(model: string, flags: McpFlags, terminal: Terminal): Promise<void> {
  const { StdioServerTransport, lookServer } = await loadProtocol();
  const settings = readSettings(flags, terminal.env);
  const folders = (flags.folder ?? []).map((folder) => checkFolder(folder, terminal.cwd));
  using interrupt = listenForInterrupt();
  const ended = new AbortController();
  const signal = AbortSignal.any([interrupt.signal, ended.signal]);
  let opened: Promise<AnswerSource> | undefined;
  const source = async (): Promise<AnswerSource> => {
    opened ??= openSource(model, { flags, settings }, terminal, signal);
    try {
      return await opened;
    } catch (error) {
      // The next question tries again.
      opened = undefined;
      throw error;
    }
  };
  const server = lookServer({
    version: packageVersion(),
    source,
    folders,
    cwd: terminal.cwd,
    sampling: flags,
  });
  server.server.onclose = () => ended.abort();
  terminal.stdin.once("end", () => ended.abort());
  await server.connect(new StdioServerTransport(terminal.stdin, terminal.stdout));
  note(terminal, `look(image, question) is served on standard input and output, by ${model}.`);
  await aborted(signal);
  await server.close();
  await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]();
}

/** Only when it is served: the other commands need not wait for it. */
async function loadProtocol() {
  const { StdioServerTransport } = await import("@modelcontextprotocol/sdk/server/stdio.js");
  const { lookServer } = await import("../mcp/look-server.ts");
  return { StdioServerTransport, lookServer };
}

function checkFolder(folder: string, cwd: string): string {
  const path = resolve(cwd, folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return path;
  throw new PlatformError(
    "invalid_request",
    `--folder is ${folder}, and there is no such directory.`,
  );
}
