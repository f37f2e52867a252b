/** A program on a terminal: what it shows there, and what is typed when it shows something. */
import { spawn, spawnSync } from "node:child_process";

/** Python's standard library knows pseudo-terminals; Node's does not. */
const driver = `
import json, os, pty, re, select, sys, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["COLUMNS"], os.environ["TERM"] = "100", "xterm"
    os.execvp(argv[0], argv)
shown, seen, deadline = b"", 0, time.monotonic() + 100
while time.monotonic() < deadline:
    ready, _, _ = select.select([fd], [], [], 0.05)
    if ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    if steps:
        found = re.search(steps[0]["after"].encode(), shown[seen:])
        if found:
            seen += found.end()
            time.sleep(steps[0].get("wait", 0))
            for text in steps.pop(0)["type"]:
                os.write(fd, text.encode())
                time.sleep(0.4)
_, status = os.waitpid(pid, 0)
print(json.dumps({"exitCode": os.waitstatus_to_exitcode(status), "shown": shown.decode("utf8", "replace")}))
`;

export const hasTerminals: boolean = spawnSync("python3", ["-c", "import pty"]).status === 0;

export type Typing = {
  /** A regular expression; what comes after the last step's match is searched. */
  readonly after: string;
  /** One after the other, with time between them; `\u0003` is Ctrl-C. */
  readonly type: readonly string[];
};

/** @returns what it showed, control sequences included, and how it ended */
export async function onTerminal(
  argv: readonly string[],
  steps: readonly Typing[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly exitCode: number; readonly shown: string }> {
  const child = spawn("python3", ["-c", driver, JSON.stringify(steps), ...argv], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await new Promise((resolve) => child.once("close", resolve));
  return JSON.parse(text) as { exitCode: number; shown: string };
}
