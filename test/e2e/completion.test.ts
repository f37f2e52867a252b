/** Completion as a shell meets it: bash sources the script and asks for the words. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { atalaya, requireBuild } from "../support/program.ts";

beforeAll(requireBuild);

/** What bash offers behind `words`, the last of them being typed. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const main = join(packageRoot(), "dist/src/cli/main.js");
  const line = ["atalaya", ...words];
  const script = `
    # A function of the package bash-completion, which users have and a bare machine may not.
    _get_comp_words_by_ref() {
      cur="\${COMP_WORDS[COMP_CWORD]}" words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
    }
    atalaya() { "${process.execPath}" "${main}" "$@"; }
    source <(atalaya completion bash)
    COMP_WORDS=(${line.map((word) => `"${word}"`).join(" ")})
    COMP_CWORD=${line.length - 1}
    COMP_LINE="${line.join(" ")}"
    COMP_POINT=\${#COMP_LINE}
    $(complete -p atalaya | sed -E 's/.*-F ([^ ]+).*/\\1/') atalaya "${line.at(-1)}" "${line.at(-2)}"
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", ["-c", script]);
  return stdout.split("\n").flatMap((text) => text.trim().split(/\s/)[0] || []);
}

test("commands, options and models", { timeout: 60_000 }, async () => {
  expect(await offered("la")).toContain("launch");
  expect(await offered("launch", "--model-n")).toContain("--model-name");
  expect(await offered("user", "se")).toContain("set");
  expect(await offered("key", "set", "ci", "--scope", "op")).toEqual(["operator"]);
  expect(await offered("run", "llama-g")).toEqual(
    expect.arrayContaining([expect.stringContaining("llama-guard-3-11b-vision")]),
  );
});

test("fish offers the same", { timeout: 60_000 }, async ({ skip }) => {
  const fish = promisify(execFile)("fish", ["--version"]);
  skip(
    await fish.then(
      () => false,
      () => true,
    ),
    "missing: fish",
  );
  const main = join(packageRoot(), "dist/src/cli/main.js");
  const ask = async (line: string): Promise<string> => {
    const script = `function atalaya; "${process.execPath}" "${main}" $argv; end
      atalaya completion fish | source
      complete -C "${line}"`;
    return (await promisify(execFile)("fish", ["--no-config", "-c", script])).stdout;
  };
  expect(await ask("atalaya la")).toMatch(/^launch\tLaunch a model/m);
  expect(await ask("atalaya launch --model-n")).toMatch(/^--model-name\t/m);
  expect(await ask("atalaya service in")).toMatch(/^install\t/m);
});

test.each(["zsh", "fish", "powershell"])("there is a script for %s", async (shell) => {
  const { exitCode, stdout } = await atalaya("completion", shell);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("atalaya");
});
