/** `atalaya engine install`, `engine list`, `engine remove`: the Python environments of engines. */
import type { Command } from "commander";
import { installEnvironment, listEnvironments, removeEnvironment } from "../../platform.ts";
import { showLaunch } from "../render/launch-progress.ts";
import { showBytes } from "../render/quantities.ts";
import { renderTable } from "../render/table.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type InstallFlags = { readonly verbose?: boolean };

export function addEnvironmentCommands(engine: Command, terminal: Terminal): void {
  engine
    .command("install")
    .description(
      "Fetch what an engine needs, or mend it: a Python environment, or CUDA for the native one.",
    )
    .argument("<engine>", "transformers, vllm, or cuda for the native engine")
    .option("--verbose", "print what the installer says")
    .addHelpText(
      "after",
      `
A launch with --model-engine does it too. It takes uv where that is on the PATH, python3 and pip
otherwise, with your own pip configuration; every package is checked against a locked hash.

Examples:
  $ atalaya engine install transformers
  $ atalaya engine install vllm
  $ atalaya engine install cuda            NVIDIA's cards for the native engine, beside Vulkan
  $ ATALAYA_TRANSFORMERS_PYTHON=/opt/venv/bin/python atalaya serve     use one of your own instead`,
    )
    .action((name: string, flags: InstallFlags) => runInstall(name, flags, terminal));
  engine
    .command("list")
    .description("List the engines' environments: what is installed, where, and how large it is.")
    .action(() => runList(terminal));
  engine
    .command("remove")
    .description("Delete an engine's environments, those of older versions too.")
    .argument("<engine>", "transformers, vllm or cuda")
    .action((name: string) => runRemove(name, terminal));
}

async function runInstall(
  name: string,
  { verbose = false }: InstallFlags,
  terminal: Terminal,
): Promise<void> {
  using interrupt = listenForInterrupt();
  const progress = showLaunch(terminal, name, { namesStages: true });
  const { title, directory, version, wasThere } = await installEnvironment(name, {
    signal: interrupt.signal,
    onProgress: (step) => progress.onEvent({ type: "stage", ...step }),
    onLog: (line) => {
      if (verbose) note(terminal, line);
    },
    onWarning: (sentence) => note(terminal, sentence),
  }).finally(() => progress[Symbol.dispose]());
  const what = wasThere ? "was installed already, and works" : "is installed";
  terminal.stdout.write(`${title} (${version}) ${what}: ${directory}\n`);
}

async function runList({ stdout }: Terminal): Promise<void> {
  const rows = await listEnvironments();
  stdout.write(
    renderTable(
      ["Engine", "State", "On disk", "What", "Where"],
      rows.map(({ title, state, sizeBytes, detail, path }) => [
        title,
        state,
        sizeBytes === 0 ? "-" : showBytes(sizeBytes),
        detail,
        path ?? "-",
      ]),
    ),
  );
}

async function runRemove(name: string, { stdout }: Terminal): Promise<void> {
  const freed = await removeEnvironment(name);
  stdout.write(freed === 0 ? "There was no environment.\n" : `Freed ${showBytes(freed)}.\n`);
}
