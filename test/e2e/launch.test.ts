/** Launching by name, as a user types it: the page's commands, registrations, plans. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AtalayaClient } from "@atalaya/client";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { demoCheckpoint, packageRoot } from "../../src/config/package.ts";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";
import { tinyCheckpoint } from "../support/serve.ts";

// A program's start takes a while on a busy machine, and some tests start several.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(requireBuild);
afterEach(killAll);

/** A place of its own for registrations, where golden checkpoints may be registered from. */
function ownHome(): { readonly env: NodeJS.ProcessEnv } & Disposable {
  const folder = temporaryFolder();
  const env = {
    ATALAYA_HOME: join(folder.path, "home"),
    ATALAYA_MODEL_ROOTS: packageRoot(),
    // No model of anybody's is to be found.
    HF_HUB_CACHE: folder.path,
    MODELSCOPE_CACHE: folder.path,
    // Nor any graphics card.
    CUDA_VISIBLE_DEVICES: "",
  };
  return { env, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** As the documentation page prints them; a shell without such a variable leaves it empty. */
const printedCommands = [
  `launch --model-engine transformers --model-name llama-3.2-vision --size-in-billions 11 --model-format pytorch --quantization \${quantization}`,
  "launch --model-engine vllm --enforce_eager --max_num_seqs 16 --model-name llama-3.2-vision --size-in-billions 11 --model-format pytorch",
  `launch --model-engine transformers --model-name llama-3.2-vision --size-in-billions 90 --model-format pytorch --quantization \${quantization}`,
  "launch --model-engine vllm --enforce_eager --max_num_seqs 16 --model-name llama-3.2-vision --size-in-billions 90 --model-format pytorch",
];

describe("a command of the page", () => {
  const nowhere = ["--endpoint", "http://127.0.0.1:9"];

  test.each(printedCommands)("%s ends with 1 and one sentence", async (line) => {
    using home = ownHome();
    // The endpoint stands first, so that the words after it are as printed.
    const words = ["launch", ...nowhere, ...line.split(" ").slice(1)];
    const asPrinted = words.filter((word) => !word.startsWith("$"));
    const filledIn = words.map((word) => (word.startsWith("$") ? "none" : word));
    const engine = words[words.indexOf("--model-engine") + 1] ?? "";
    const onNative = filledIn.map((word) => (word === engine ? "native" : word));
    const [unset, given, native] = await Promise.all(
      [asPrinted, [...filledIn, "--no-download"], [...onNative, "--no-download"]].map(
        (args) => new Program(args, home.env).ended,
      ),
    );

    const lacksCard =
      /^atalaya: The engine vLLM (needs an NVIDIA graphics card, and this machine has none|runs on Linux.*)\. Launch with --model-engine native, .*\n$/;
    const lacksFiles =
      /^atalaya: The files of llama-3\.2-vision \((11|90) billion parameters, [\d.]+ GB\) are not on this machine\. Accept the .* at https:\S+, then download them: atalaya pull meta-llama\/Llama-3\.2-(11|90)B-Vision\n$/;
    const lacksChoice =
      /^atalaya: --quantization has no value, .* for llama-3\.2-vision choose one of: none, 4-bit, 8-bit\.\n$/;
    const firstSentence = line.includes("$") ? lacksChoice : lacksCard;
    expect(unset).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unset?.stderr).toMatch(firstSentence);
    expect(given).toMatchObject({ exitCode: 1, stdout: "" });
    expect(given?.stderr).toMatch(engine === "vllm" ? lacksCard : lacksFiles);
    // As that sentence says: on the native engine, it is the files that are missing.
    expect(native).toMatchObject({ exitCode: 1, stdout: "" });
    expect(native?.stderr).toMatch(lacksFiles);
  });

  test.each([
    { args: ["demo", "16"], says: /There is an error in parameter passing that is 16\./ },
    { args: ["demo", "--max_num_seq", "4"], says: /Did you mean max_num_seqs\?/ },
    {
      args: ["demo", "--quantization", "q4_x"],
      says: /choose one of: none, q8_0, .* Did you mean q4_/,
    },
    { args: ["demo", "--quantization", "$quantization"], says: /has no value/ },
    { args: ["demo", "-en", "natve"], says: /Did you mean native\?/ },
    { args: ["demo", "--model-format", "ggufv2"], says: /in the format pytorch, not "ggufv2"/ },
    { args: ["llama-3.2-vision", "-s", "70"], says: /its sizes are 11, 90\. The nearest is 90\./ },
    { args: ["demo", "--max-model-len", "5000"], says: /more than the 4096 positions/ },
    { args: ["demo", "--env", "A"], says: /--env takes two words/ },
    {
      args: ["demo", "--virtual-env-package", "numpy"],
      says: /^No engine takes Python packages from a launch: .* --virtual-env-package .* change nothing\.$/m,
    },
    { args: ["demo"], says: /No server answers at .* Start one with: atalaya serve/ },
  ])("with $args ends with 1 or 2 before any network call", async ({ args, says }) => {
    using home = ownHome();
    const ended = await new Program(["launch", ...nowhere, ...args], home.env).ended;
    expect(ended.stderr).toMatch(says);
    expect(ended.stdout).toBe("");
    expect(ended.exitCode).toBe(args.includes("--env") ? 2 : 1);
  });

  test("with --estimate prints a table, with --dry-run the plan, and starts nothing", async () => {
    using home = ownHome();
    const estimate = ["launch", "llama-3.2-vision:90b", "--estimate", ...nowhere];
    const table = await new Program(estimate, home.env).ended;
    expect(table).toMatchObject({ exitCode: 0, stderr: "" });
    expect(table.stdout).toMatch(/^weights, read where they lie +177 GB$/m);
    expect(table.stdout).toMatch(/4 × 80 GB or 2 × 141 GB/);

    const plan = await new Program(["launch", "demo", "--dry-run", ...nowhere], home.env).ended;
    expect(plan).toMatchObject({ exitCode: 0, stderr: "" });
    expect(plan.stdout).toMatch(/^engine +native, the best that runs here$/m);
    expect(plan.stdout).toContain(`files    ${demoCheckpoint()}\n`);
    expect(plan.stdout).toMatch(/^memory .* so it fits$/m);
  });
});

describe("a registered model", () => {
  test("is launched by its name, until it is forgotten", async () => {
    using home = ownHome();
    const run = (...args: readonly string[]) => new Program(args, home.env).ended;
    const registered = await run("register", tinyCheckpoint, "--model-name", "shapes");
    expect(registered.stderr).toBe("shapes is registered. Launch it: atalaya launch shapes\n");
    expect(registered.exitCode).toBe(0);
    expect((await run("registrations")).stdout).toMatch(
      /^LLM +shapes +.* chat, vision, tools +false$/m,
    );
    expect((await run("model-card", "shapes")).stdout).toContain(
      `**Directory:** ${tinyCheckpoint}`,
    );

    const local = await run("run", "shapes", "hello", "--max-tokens", "3");
    expect(local.exitCode).toBe(0);
    expect(local.stderr).toMatch(/\d tokens?/);

    const server = new Program(["serve", "shapes", "--port", "0"], home.env);
    const url = await server.says(/Serving at (\S+)\/v1/);
    await server.says(/shapes is ready/);
    const launched = await run("launch", "-n", "shapes", "-u", "again", "--endpoint", url);
    expect(launched).toMatchObject({ exitCode: 0, stdout: "Model uid: again\n" });
    const models = await new AtalayaClient({ endpoint: url }).listModels();
    expect(models.map(({ id, model_name: name }) => [id, name])).toEqual([
      ["shapes", "shapes"],
      ["again", "shapes"],
    ]);

    expect((await run("unregister", "shapes")).exitCode).toBe(0);
    const gone = await run("launch", "shapes", "--endpoint", url);
    expect(gone).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/no model "shapes"/) });
  });

  test("may come from a file, which tells what of it is not used", async () => {
    using home = ownHome();
    using folder = temporaryFolder();
    const file = join(folder.path, "model.json");
    const write = (change: object): void =>
      writeFileSync(
        file,
        JSON.stringify({
          version: 1,
          model_name: "shapes",
          model_ability: ["chat", "vision", "tools"],
          chat_template: "{{ messages }}",
          model_specs: [
            {
              model_format: "pytorch",
              model_size_in_billions: "0_0003",
              quantizations: ["none"],
              model_uri: pathToFileURL(tinyCheckpoint).href,
              ...change,
            },
          ],
        }),
      );
    const register = () => new Program(["register", "-t", "LLM", "-f", file, "-p"], home.env).ended;
    write({ model_size_in_billions: 11 });
    expect((await register()).stderr).toMatch(/says 11 billion parameters, and the checkpoint has/);
    write({ model_uri: "file:///etc" });
    expect(await register()).toMatchObject({
      exitCode: 77,
      stderr: expect.stringMatching(/lies outside of the directories/),
    });
    write({});
    const registered = await register();
    expect(registered.stderr).toMatch(/^Not used: chat_template\. The checkpoint's own are\.\n/);
    expect(registered.exitCode).toBe(0);
    expect((await register()).exitCode).toBe(73);
  });
});
