/** Where a command reads and writes. Results go to stdout, everything else to stderr. */

export type Terminal = {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
};

/** The process's own. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, cwd: process.cwd() };
}

/** A line of something else than the result. */
export function note(terminal: Terminal, text: string): void {
  terminal.stderr.write(`${text}\n`);
}

/** `text` in grey, where the terminal shows colours. */
export function grey(terminal: Terminal, text: string): string {
  const showsColour = terminal.stderr.isTTY && (terminal.env["NO_COLOR"] ?? "") === "";
  return showsColour ? `\u001b[90m${text}\u001b[39m` : text;
}

/** Text from a model, which must not steer the terminal it is shown on. Files and pipes get it as it is. */
export function printable({ stdout }: Terminal, text: string): string {
  return stdout.isTTY ? text.replace(/(?![\n\t])\p{Cc}/gu, "\ufffd") : text;
}
