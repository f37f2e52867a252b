/** The shipped program, as built, started with the words of a command line. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { packageRoot } from "../../src/config/package.ts";

const program = join(packageRoot(), "dist/src/cli/main.js");
const running = new Set<ChildProcess>();

/** For the hooks of a file: see that there is something to start, and leave nothing running. */
export function requireBuild(): void {
  if (!existsSync(program)) throw new Error("Build first: npm run build");
}

export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
}

export type Ended = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Without an `ATALAYA_HOME` among `env` it has one of its own, which goes with it. */
export class Program {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const home = mkdtempSync(join(tmpdir(), "atalaya-home-"));
    const child = spawn(process.execPath, [program, ...args], {
      cwd: packageRoot(),
      env: { ...process.env, NO_COLOR: "1", ATALAYA_HOME: home, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    running.add(child);
    this.child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) => {
      child.once("close", (exitCode) => {
        running.delete(child);
        rmSync(home, { recursive: true, force: true });
        resolve({ exitCode, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Wait until the program has written something. */
  async says(pattern: RegExp): Promise<string> {
    for (let wait = 0; wait < 600; wait++) {
      const found = pattern.exec(this.stdout + this.stderr);
      if (found !== null) return found[1] ?? found[0];
      if (this.child.exitCode !== null) break;
      await sleep(50);
    }
    throw new Error(`never said ${pattern}:\n${this.stdout}\n${this.stderr}`);
  }
}

export const atalaya = (...args: readonly string[]): Promise<Ended> => new Program(args).ended;
