/** `import { load } from "atalaya"`, as a program that depends on the package writes it. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoPictures, packageRoot } from "../../src/config/package.ts";
import { load, type Model, PlatformError } from "../../src/load.ts";
import { requireBuild } from "../support/program.ts";

const picture = join(demoPictures(), "number.png");
const question = "Which number is this?";

test("the example runs as it stands, and leaves nothing running", { timeout: 60_000 }, async () => {
  requireBuild();
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["examples/ask-in-process.mjs"],
    { cwd: packageRoot() },
  );
  expect(stderr).toBe("");
  const [text, facts, again, streamed] = stdout.trim().split("\n");
  expect(text).toMatch(/red circle/);
  expect(facts).toMatch(/^\d×\d tiles, \d+ tokens$/);
  expect(again).toBe("seen before");
  expect(streamed).toBe(text);
});

describe("a loaded model", () => {
  let model: Model;
  beforeAll(async () => {
    model = await load("demo");
  });
  afterAll(() => model[Symbol.asyncDispose]());

  test("takes a picture in every form", async () => {
    const bytes = await readFile(picture);
    const forms = [
      picture,
      pathToFileURL(picture),
      pathToFileURL(picture).href,
      bytes,
      `data:image/png;base64,${bytes.toString("base64")}`,
    ];
    const answers = await Promise.all(
      forms.map((image) => model.ask(question, { images: [image], temperature: 0 })),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.text).toMatch(/\d/);
    expect(answers[0]?.finishReason).toBe("stop");
  });

  test("ends early when it is told to", async () => {
    const { text, finishReason, usage } = await model.ask(question, {
      images: [picture],
      temperature: 0,
      maxTokens: 1,
    });
    expect(finishReason).toBe("length");
    expect(usage.completionTokens).toBe(1);
    expect(text.length).toBeGreaterThan(0);
    const stop = AbortSignal.abort(new Error("enough"));
    await expect(model.ask(question, { images: [picture], signal: stop })).rejects.toThrow();
  });

  const tools = [
    {
      name: "count",
      parameters: {
        type: "object",
        properties: { shape: { enum: ["circle", "square"] } },
        required: ["shape"],
        additionalProperties: false,
      },
    },
  ];

  test("calls a function where it must, and goes on from what that returned", async () => {
    for (const toolChoice of ["required", { name: "count" }] as const) {
      const { text, toolCalls, finishReason } = await model.ask("Count.", {
        tools,
        toolChoice,
        temperature: 0,
        maxTokens: 100,
      });
      expect({ text, finishReason }).toEqual({ text: "", finishReason: "tool_calls" });
      expect(toolCalls).toMatchObject([{ name: "count", id: expect.stringMatching(/^call_/) }]);
      expect(JSON.parse(toolCalls[0]?.arguments ?? "")).toEqual({
        shape: expect.stringMatching(/^(circle|square)$/),
      });
      const after = await model.ask("", {
        tools,
        toolChoice: "none",
        temperature: 0,
        maxTokens: 5,
        history: [
          { role: "user", content: [{ type: "text", text: "Count." }] },
          { role: "assistant", content: [], toolCalls },
          {
            role: "tool",
            toolCallId: toolCalls[0]?.id ?? "",
            content: [{ type: "text", text: "3" }],
          },
        ],
      });
      expect(after.toolCalls).toEqual([]);
      expect(after.usage.promptTokens).toBeGreaterThan(10);
    }
    await expect(model.ask("Count.", { toolChoice: "required" })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(model.ask("Count.", { tools, toolChoice: { name: "sum" } })).rejects.toThrow(
      /sum/,
    );
  });

  test("refuses what it cannot do with a sentence", async () => {
    await expect(model.ask(question, { temperature: 9 })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(model.ask(question, { images: [new Uint8Array(8)] })).rejects.toMatchObject({
      code: "invalid_image",
    });
  });
});

test("what cannot be loaded says why, and a signal ends the loading", async () => {
  await expect(load("no-such-model", { download: false })).rejects.toBeInstanceOf(PlatformError);
  await expect(load("demo", { signal: AbortSignal.abort() })).rejects.toThrow();
});

test("loading tells what it does", async () => {
  const stages = new Set<string>();
  await using model = await load("demo", {
    onProgress: (event) => {
      if (event.type === "stage") stages.add(event.stage);
    },
  });
  expect(model.name).toBe("demo");
  expect(model.contextLength).toBeGreaterThan(1_000);
  expect(stages.size).toBeGreaterThan(0);
});
