/** The command line: which commands there are. */
import { Command } from "commander";
import { packageVersion } from "../config/package.ts";
import { bench } from "./commands/bench.ts";
import { cached } from "./commands/cached.ts";
import { calModelMem } from "./commands/cal-model-mem.ts";
import { chat } from "./commands/chat.ts";
import { completion } from "./commands/completion.ts";
import { demo } from "./commands/demo.ts";
import { dev } from "./commands/dev.ts";
import { devices } from "./commands/devices.ts";
import { engine } from "./commands/engine.ts";
import { generate } from "./commands/generate.ts";
import { key } from "./commands/key.ts";
import { launch } from "./commands/launch.ts";
import { list } from "./commands/list.ts";
import { login } from "./commands/login.ts";
import { logout } from "./commands/logout.ts";
import { mcp } from "./commands/mcp.ts";
import { modelCard } from "./commands/model-card.ts";
import { pull } from "./commands/pull.ts";
import { register } from "./commands/register.ts";
import { registrations } from "./commands/registrations.ts";
import { removeCache } from "./commands/remove-cache.ts";
import { run } from "./commands/run.ts";
import { scale } from "./commands/scale.ts";
import { serve } from "./commands/serve.ts";
import { service } from "./commands/service.ts";
import { stopCluster } from "./commands/stop-cluster.ts";
import { terminate } from "./commands/terminate.ts";
import { unregister } from "./commands/unregister.ts";
import { user } from "./commands/user.ts";
import { vllmModels } from "./commands/vllm-models.ts";
import { worker } from "./commands/worker.ts";
import type { Terminal } from "./terminal.ts";

export function buildProgram(terminal: Terminal): Command {
  const program = new Command("atalaya")
    .description("Serves Llama 3.2 Vision: pictures in, answers out.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
    .showHelpAfterError("(see --help)")
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya demo                                            try it, with the small bundled model
  $ atalaya run ./checkpoint "what is in ./photo.png?"      ask once, without a server
  $ atalaya serve ./checkpoint                              serve OpenAI's API on 127.0.0.1:9997`,
    );
  for (const add of [
    serve,
    launch,
    list,
    terminate,
    scale,
    run,
    chat,
    generate,
    demo,
    pull,
    cached,
    removeCache,
    modelCard,
    engine,
    devices,
    calModelMem,
    register,
    unregister,
    registrations,
    bench,
    dev,
    vllmModels,
    stopCluster,
    worker,
    key,
    user,
    login,
    logout,
    mcp,
    service,
    // Last of all: it completes those before it.
    completion,
  ]) {
    add(program, terminal);
  }
  return program;
}

/** `--max_model_len` is `--max-model-len`: Xinference's users write both. */
export function withDashes(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, index) => {
    const isOption = /^--[a-z]/.test(arg) && (end === -1 || index < end);
    return isOption ? arg.replace(/^[^=]+/, (name) => name.replaceAll("_", "-")) : arg;
  });
}
