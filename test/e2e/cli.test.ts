/** The shipped program, as built, over a real engine and a checkpoint of random weights. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { AtalayaClient } from "@atalaya/client";
import sharp from "sharp";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { demoCheckpoint, packageRoot } from "../../src/config/package.ts";
import { atalaya, killAll, Program, requireBuild } from "../support/program.ts";
import { tinyCheckpoint } from "../support/serve.ts";

beforeAll(requireBuild);
afterEach(killAll);

async function serveTiny(): Promise<{ program: Program; url: string }> {
  const server = new Program(["serve", tinyCheckpoint, "--port", "0"]);
  const url = await server.says(/Serving at (\S+)\/v1/);
  await server.says(/is ready/);
  return { program: server, url };
}

/** The one child of a process that runs a model. */
async function childOf(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)("pgrep", ["-P", `${pid}`, "-f", "worker-main"]);
  return Number(stdout.trim());
}

async function takePort(): Promise<{ port: number } & AsyncDisposable> {
  const blocker = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => blocker.once("listening", resolve));
  const address = blocker.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => blocker.close(resolve));
    },
  };
}

describe("without a model", () => {
  test("help shows every command, with examples", async () => {
    const { exitCode, stdout } = await atalaya("--help");
    expect(exitCode).toBe(0);
    const commands =
      "serve launch list terminate run chat demo model-card engine register unregister registrations";
    for (const command of commands.split(" ")) {
      expect(stdout).toContain(`  ${command} `);
      const help = await atalaya(command, "--help");
      expect(help.exitCode).toBe(0);
      expect(help.stdout).toMatch(/Examples?:\n {2}\$ atalaya/);
    }
  });

  test("the version is the package's", async () => {
    expect((await atalaya("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([
    { args: ["run"], exitCode: 2, says: /missing required argument 'model'/ },
    { args: ["run", "demo", "x", "--temperature", "NaN"], exitCode: 2, says: /from 0 to 2/ },
    {
      args: ["run", "demo", "x", "--tool-choice", "auto"],
      exitCode: 2,
      says: /--tool-choice goes with --tools/,
    },
    {
      args: ["run", "demo", "x", "--tools", "none.json"],
      exitCode: 2,
      says: /--tools names none\.json, which cannot be read/,
    },
    {
      args: ["run", "demo", "x", "--tools", "package.json"],
      exitCode: 2,
      says: /package\.json must be a JSON list of functions/,
    },
    { args: ["run", "demo", "x", "--seed", "-1"], exitCode: 2, says: /from 0 to 4294967295/ },
    {
      args: ["serve", "--host", "0.0.0.0"],
      exitCode: 2,
      says: /^atalaya: Other machines can reach 0\.0\.0\.0, .* atalaya key create/,
    },
    {
      args: ["serve", "--port", "0", "./no-such-dir"],
      exitCode: 66,
      says: /There is no directory/,
    },
    {
      args: ["serve", "--port", "0", "llama-3.2-vision", "--no-download"],
      exitCode: 66,
      says: /The files of llama-3\.2-vision .* are not on this machine/,
    },
    {
      args: ["run", "lama-3.2-vision", "x"],
      exitCode: 66,
      says: /Did you mean llama-3\.2-vision\?/,
    },
    { args: ["model-card", "llama"], exitCode: 66, says: /there are demo, llama-3\.2-vision/ },
    { args: ["engine"], exitCode: 2, says: /Say which model/ },
    {
      args: ["engine", "llama-3.2-vision", "-en", "vlm"],
      exitCode: 69,
      says: /Did you mean vLLM\?/,
    },
    { args: ["register"], exitCode: 2, says: /Say what to register/ },
    { args: ["register", "--file", "none.json"], exitCode: 2, says: /There is no file/ },
    { args: ["unregister", "llama-3.2-vision"], exitCode: 77, says: /comes with Atalaya/ },
    { args: ["run", "./no-such-dir", "hello"], exitCode: 66, says: /There is no directory/ },
    { args: ["run", "./docs", "hello"], exitCode: 66, says: /holds no model/ },
    {
      args: ["run", "demo", "x", "--image", "none.png"],
      exitCode: 2,
      says: /no picture file none.png/,
    },
    { args: ["list", "--endpoint", "http://127.0.0.1:9"], exitCode: 69, says: /No server answers/ },
  ])("$args ends with $exitCode and one sentence", async ({ args, exitCode, says }) => {
    const ended = await atalaya(...args);
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(ended.exitCode).toBe(exitCode);
    expect(ended.stdout).toBe("");
  });

  test("a port in use is one sentence that names it and another (G-18)", async () => {
    await using taken = await takePort();
    const ended = await atalaya("serve", "--port", `${taken.port}`);
    expect(ended.exitCode).toBe(73);
    expect(ended.stderr).toBe(
      `atalaya: Port ${taken.port} on 127.0.0.1 is taken by another program. Choose another with --port or ATALAYA_PORT, such as ATALAYA_PORT=9998.\n`,
    );
  });
});

describe("with a checkpoint", () => {
  test("run --raw --json prints one object with every token", async () => {
    const picture = await sharp({
      create: { width: 40, height: 24, channels: 3, background: "teal" },
    })
      .png()
      .toBuffer();
    const path = join(packageRoot(), "dist", "teal.png");
    await sharp(picture).toFile(path);
    const args = ["run", tinyCheckpoint, "--raw", "--json", "--prompt"];
    const options = ["--max-tokens", "6", "--temperature", "0", "--logprobs", "10"];
    const prompt = "<|begin_of_text|><|image|>ab";
    const ended = await atalaya(...args, prompt, "--image", path, ...options);
    expect(ended.stderr).toBe("");
    expect(ended.exitCode).toBe(0);
    const result = JSON.parse(ended.stdout);
    expect(result.prompt_token_ids.slice(0, 2)).toEqual([1, 256]);
    expect(result.prompt_token_ids).toHaveLength(4);
    expect(result.logprobs).toHaveLength(result.token_ids.length);
    for (const [index, { id, logprob, top }] of result.logprobs.entries()) {
      expect(id).toBe(result.token_ids[index]);
      expect(top).toHaveLength(10);
      // Greedy: what was chosen is the likeliest.
      expect(top[0]).toEqual({ id, logprob });
    }
    expect(result.usage).toMatchObject({ prompt_tokens: 4 });
    expect(result.images).toMatchObject([{ width: 40, height: 24, source: "encoded" }]);
  });

  test("serve, list, run against the server, terminate, stop", async () => {
    const { program: server, url } = await serveTiny();
    const at = ["--endpoint", url];

    const list = await atalaya("list", ...at);
    expect(list.stdout).toMatch(/^UID +Type +Name +Format/);
    expect(list.stdout).toMatch(/^tiny-a +LLM +tiny-a +pytorch .* native +1 +ready$/m);

    const launched = await atalaya("launch", tinyCheckpoint, "--model-uid", "second", ...at);
    expect(launched).toMatchObject({ exitCode: 0, stdout: "Model uid: second\n" });
    const again = await atalaya("launch", tinyCheckpoint, "--model-uid", "second", ...at);
    expect(again).toMatchObject({ exitCode: 1, stdout: "" });

    const answer = await atalaya("run", "second", "hello", "--max-tokens", "4", ...at);
    expect(answer.exitCode).toBe(0);
    expect(answer.stderr).toMatch(/\d tokens?/);

    expect((await atalaya("terminate", "--model-uid", "second", ...at)).exitCode).toBe(0);
    expect((await atalaya("terminate", "second", ...at)).exitCode).toBe(66);
    expect((await atalaya("list", ...at)).stdout).not.toContain("second");

    server.child.kill("SIGTERM");
    expect((await server.ended).exitCode).toBe(0);
  });

  test.skipIf(process.platform === "win32")(
    "a worker killed in mid-answer ends the stream with an error, and the next answer is whole",
    async () => {
      const { program: server, url } = await serveTiny();
      const client = new AtalayaClient({ endpoint: url });
      const content = "what is it";
      const ask = (maxTokens: number) =>
        client.streamChat({
          model: "tiny-a",
          messages: [{ role: "user", content }],
          temperature: 0,
          max_tokens: maxTokens,
        });
      let killedAt = 0;
      const reading = (async () => {
        for await (const chunk of ask(1_900)) {
          if (killedAt > 0 || chunk.choices[0]?.delta.content === "") continue;
          killedAt = performance.now();
          process.kill(await childOf(server.child.pid ?? 0), "SIGKILL");
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "worker_failed" });
      expect(performance.now() - killedAt).toBeLessThan(1_000);

      const finishReasons: unknown[] = [];
      for await (const { choices } of ask(2)) finishReasons.push(choices[0]?.finish_reason);
      expect(finishReasons.at(-1)).toBe("length");
    },
  );

  test("chat keeps the conversation, forgets it on /clear, and leaves on /bye", async () => {
    const chat = new Program(["chat", tinyCheckpoint, "--max-tokens", "3"]);
    chat.child.stdin?.end("hello\n/clear\n/nonsense\n/bye\nnever asked\n");
    const ended = await chat.ended;
    expect(ended.exitCode).toBe(0);
    expect(ended.stderr).toContain("The conversation is forgotten.");
    expect(ended.stderr).toContain("There is no command /nonsense.");
    expect(ended.stderr.match(/^\d+ tokens?/gm)).toHaveLength(1);
  });

  test("a question interrupted in mid-answer ends with 130 and no more words", async () => {
    const args = ["run", `${tinyCheckpoint}/`, "what is it", "--temperature", "0"];
    const asked = new Program([...args, "--max-tokens", "1900"]);
    await asked.says(/./);
    asked.child.kill("SIGINT");
    const ended = await asked.ended;
    expect(ended.exitCode).toBe(130);
    expect(ended.stderr).toBe("stopped\n");
  });
});

describe("a server that is there", { timeout: 90_000 }, () => {
  test("answers as it was launched, and options of a launch are said not to count", async () => {
    const { url } = await serveTiny();
    const words = ["run", "tiny-a", "hi", "--max-tokens", "1", "--endpoint", url];
    const plain = await atalaya(...words);
    expect(plain.stderr).not.toContain("not used");
    const typed = await atalaya(...words, "--profile", "hf", "--max-model-len", "64");
    expect(typed.exitCode).toBe(0);
    expect(typed.stderr).toContain(
      `tiny-a runs on the server at ${url} as it was launched there: --profile, --max-model-len are not used.`,
    );
  });

  test.each([
    { what: "a web page", type: "text/html", body: "<!doctype html><title>hello</title>" },
    { what: "other JSON", type: "application/json", body: '{"hello": "world"}' },
    { what: "nothing", type: "text/plain", body: "" },
  ])("and is none of ours, as it sends $what, is told in one sentence", async ({ type, body }) => {
    const foreign = createHttpServer((_, response) => {
      response.writeHead(200, { "content-type": type }).end(body);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => foreign.once("listening", resolve));
    const address = foreign.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    try {
      const listed = await atalaya("list", "--endpoint", url);
      expect(listed.stderr).toMatch(
        new RegExp(
          `^atalaya: What answers at ${url} is no Atalaya server: .*\\. Name the server with`,
        ),
      );
      expect(listed).toMatchObject({ exitCode: 69, stdout: "" });
      const launched = await atalaya("launch", "demo", "--endpoint", url);
      expect(launched.stderr).toMatch(/is no Atalaya server/);
      expect(launched.exitCode).toBe(1);
      const run = await atalaya("run", "demo", "hi", "--max-tokens", "1", "--endpoint", url);
      expect(run.stderr).toMatch(/is no Atalaya server: .* The model is loaded here\./);
      expect(run.exitCode).toBe(0);
    } finally {
      foreign.close();
    }
  });
});

describe("the demo", () => {
  const lacks = existsSync(join(demoCheckpoint(), "config.json")) ? undefined : "demo/checkpoint";
  const title = lacks === undefined ? "" : ` (skipped: there is no ${lacks})`;

  test.skipIf(lacks !== undefined)(`answers once and ends${title}`, async () => {
    const ended = await new Program(["demo", "--once"], { ATALAYA_PORT: "0" }).ended;
    expect(ended.stderr).not.toMatch(/atalaya:/);
    expect(ended.exitCode).toBe(0);
    const [first] = ended.stdout.split("\n");
    expect(first).toBe(
      "This is a small demo model: it knows coloured shapes and numbers, and nothing else.",
    );
    expect(ended.stderr).toMatch(/encoded in .* tokens/);
  });

  test.skipIf(lacks !== undefined)(`stays up until Ctrl-C${title}`, async () => {
    const shown = new Program(["demo"], { ATALAYA_PORT: "0" });
    const url = await shown.says(/Serving at (\S+)\/v1/);
    await shown.says(/run demo .*"\n/);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    shown.child.kill("SIGINT");
    expect((await shown.ended).exitCode).toBe(0);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });
});
