#!/usr/bin/env node
/** The bin: parse, run the command, turn an error into a sentence and an exit code. */
import { describeFailure } from "./exit-code.ts";
import { buildProgram, withDashes } from "./program.ts";
import { note, processTerminal } from "./terminal.ts";
import { withLongOptions } from "./xinference-options.ts";

const terminal = processTerminal();

// `atalaya run … | head -1`: the reader has enough.
terminal.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
// Nobody reads the notes: a server goes on, and stops in order when it is told to.
terminal.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await buildProgram(terminal).parseAsync(withLongOptions(withDashes(process.argv.slice(2))), {
    from: "user",
  });
} catch (error) {
  const { sentence, exitCode } = describeFailure(error);
  if (sentence !== undefined) note(terminal, `atalaya: ${sentence}`);
  if (process.env["ATALAYA_LOG_LEVEL"] === "debug") console.error(error);
  process.exitCode = exitCode;
}
