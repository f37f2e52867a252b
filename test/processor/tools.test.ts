/** Conversations with functions, calls and results: the reference's text and tokens, and nothing of them structure. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { tokenId } from "../../src/base/ids.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import type { EngineEvent } from "../../src/generation/engine-prompt.ts";
import type { ChatMessage, ContentPart } from "../../src/generation/request.ts";
import type { ToolFunction, ToolOffer } from "../../src/generation/tools.ts";
import { applyChatRules } from "../../src/pipeline/chat-rules.ts";
import { generateText } from "../../src/pipeline/generate-text.ts";
import { withToolCalls } from "../../src/pipeline/tool-calls.ts";
import { openTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { goldenCheckpoint } from "../support/golden.ts";

const Call = z.object({
  id: z.string(),
  function: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
});
const Message = z.object({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.union([
    z.string(),
    z.array(z.object({ type: z.enum(["text", "image"]), text: z.string().optional() })),
  ]),
  tool_calls: z.array(Call).optional(),
  tool_call_id: z.string().optional(),
});
const Described = z.object({
  function: z.object({
    name: z.string(),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
});
const Goldens = z.object({
  template: z.string(),
  renderings: z.array(
    z.object({
      tools: z.array(Described).nullable(),
      messages: z.array(Message),
      text: z.string(),
      tokenIds: z.array(z.int()),
    }),
  ),
});

const { template, renderings } = Goldens.parse(
  JSON.parse(readFileSync(new URL("../golden/template/tools.json", import.meta.url), "utf8")),
);
const scratch = mkdtempSync(join(tmpdir(), "atalaya-tools-"));
cpSync(goldenCheckpoint("tiny-a"), scratch, { recursive: true });
writeFileSync(join(scratch, "chat_template.jinja"), template);
afterAll(() => rmSync(scratch, { recursive: true }));

const released = await openTokenizer(scratch);
const plain = await openTokenizer(goldenCheckpoint("tiny-a"));
afterAll(() => Promise.all([released, plain].map((one) => one[Symbol.asyncDispose]())));

const image = { type: "image", image: { bytes: new Uint8Array(0) } } as const;
const text = (value: string): ContentPart => ({ type: "text", text: value });
const say = (role: ChatMessage["role"], value: string): ChatMessage => ({
  role,
  content: value === "" ? [] : [text(value)],
});

function toMessage(message: z.infer<typeof Message>): ChatMessage {
  const { role, content, tool_calls: calls, tool_call_id: toolCallId } = message;
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
  return {
    role,
    content: parts.map((part) => (part.type === "image" ? image : text(part.text ?? ""))),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(calls !== undefined && {
      toolCalls: calls.map(({ id, function: { name, arguments: args } }) => ({
        id,
        name,
        arguments: JSON.stringify(args),
      })),
    }),
  };
}

function toFunction({ function: described }: z.infer<typeof Described>): ToolFunction {
  return { ...described, isStrict: false, field: "tools[0].function" };
}

/** As the pipeline does it. */
async function render(
  tokenizer: Tokenizer,
  sent: readonly ChatMessage[],
  offered: readonly ToolFunction[] = [],
) {
  const { messages, functions, changes } = applyChatRules(sent, {
    functions: offered,
    templateTakesTools: tokenizer.templateTakesTools,
  });
  const rendered = await tokenizer.renderChat(messages, {
    addGenerationPrompt: true,
    dateString: "26 Jul 2024",
    ...(functions !== undefined && { functions }),
  });
  return { ...rendered, changes };
}

test("it is found out by trying where functions are a template's business", async () => {
  expect(released.templateTakesTools).toBe("without-pictures");
  expect(plain.templateTakesTools).toBe("never");
});

describe("the template renders and encodes as the reference does", () => {
  test.each(renderings.map((rendering, index) => ({ index, ...rendering })))(
    "conversation $index",
    async ({ tools, messages, text: expected, tokenIds }) => {
      const rendered = await render(
        released,
        messages.map(toMessage),
        (tools ?? []).map(toFunction),
      );
      expect(rendered).toEqual({ text: expected, tokenIds, changes: [] });
    },
  );
});

const weather: ToolFunction = {
  name: "get_weather",
  description: "Weather.",
  parameters: { type: "object" },
  isStrict: false,
  field: "tools[0].function",
};
const call = (id: string, city: string) => ({
  id,
  name: "get_weather",
  arguments: JSON.stringify({ city }),
});
const result = (toolCallId: string, value: string): ChatMessage => ({
  ...say("tool", value),
  toolCallId,
});

test("several calls at once become a turn each, followed by its own result", async () => {
  const calls = [call("a", "Rome"), call("b", "Oslo")];
  const ask = say("user", "Where is it warmer?");
  const [first, second] = calls;
  if (first === undefined || second === undefined) throw new Error("no calls");
  const together = await render(released, [
    ask,
    { ...say("assistant", "I look."), toolCalls: calls },
    result("b", "3"),
    result("a", "20"),
  ]);
  const apart = await render(released, [
    ask,
    { ...say("assistant", ""), toolCalls: [first] },
    result("a", "20"),
    { ...say("assistant", ""), toolCalls: [second] },
    result("b", "3"),
  ]);
  expect(together.text).toBe(apart.text);
  expect(together.changes).toEqual(["tool-calls-split", "text-beside-call-dropped"]);
});

const told =
  'Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\nRespond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.\n\n{\n    "type": "function",\n    "function": {\n        "name": "get_weather",\n        "description": "Weather.",\n        "parameters": {\n            "type": "object"\n        }\n    }\n}\n\n';
const opening = "<|start_header_id|>assistant<|end_header_id|>\n\n";

test("with a picture the functions stand in front of the user's text, behind the system's", async () => {
  const { text: rendered, changes } = await render(
    released,
    [say("system", "Be brief."), { role: "user", content: [text(" Where? "), image] }],
    [weather],
  );
  expect(rendered).toBe(
    `<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>Be brief.\n\n${told}Where?<|eot_id|>${opening}`,
  );
  expect(changes).toEqual(["tools-in-text", "system-text-moved", "pictures-hoisted"]);
});

test("a template that knows of no functions is given them as text, calls and results too", async () => {
  const { text: rendered } = await render(
    plain,
    [
      say("user", "How warm?"),
      { ...say("assistant", ""), toolCalls: [call("a", "Rome")] },
      result("a", "22 °C"),
    ],
    [weather],
  );
  expect(rendered).toBe(
    `<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n${told}How warm?<|eot_id|>${opening}{"name": "get_weather", "parameters": {"city": "Rome"}}<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n"22 °C"<|eot_id|>${opening}`,
  );
});

test("a conversation that the assistant begins has an empty turn of the user's for the functions", async () => {
  const { text: rendered } = await render(
    released,
    [say("assistant", "Hello."), say("user", "How warm?")],
    [weather],
  );
  expect(rendered).toContain(`${told}<|eot_id|>${opening}Hello.<|eot_id|>`);
});

async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test("a call behind the tag of built-in functions, ended as a message that waits for its result, is one", async () => {
  await using tokenizer = await openTokenizer(join(packageRoot(), "demo/checkpoint"));
  const { vocabulary } = tokenizer;
  const tag = vocabulary.idOf("<|python_tag|>");
  const end = vocabulary.idOf("<|eom_id|>");
  if (tag === undefined || end === undefined) throw new Error("the demo has no such tokens");
  const written = '{"name": "get_weather", "parameters": {"city": "Rome"}}';
  const ids = [tag, ...(await tokenizer.encode(written, { specialTokens: false })), end];
  async function* engine(): AsyncGenerator<EngineEvent, void> {
    for (const id of ids) yield { type: "token", tokenId: id, logprob: undefined, topLogprobs: [] };
    yield { type: "finish", reason: "stop" };
  }
  const text = generateText(engine(), {
    promptTokenIds: [],
    promptReport: { changes: [], seenByLastTurn: [] },
    vocabulary,
    model: {
      contextLength: 4_096,
      vocabSize: 1_309,
      numEmbeddings: 1_310,
      imageTokenId: tokenId(1_309),
      bosTokenId: tokenId(1_298),
      stopTokenIds: [end],
      visionTokensPerTile: 37,
    },
    stop: [],
  });
  const offer: ToolOffer = { functions: [weather], choice: { type: "auto" } };
  const events = await collect(withToolCalls(text, offer));
  expect(events.flatMap((event) => (event.type === "text-delta" ? event.text : [])).join("")).toBe(
    "",
  );
  expect(events.at(-1)).toMatchObject({
    type: "finish",
    toolCalls: [{ name: "get_weather", arguments: '{"city": "Rome"}' }],
    usage: { completionTokens: ids.length },
  });
});

const structure = [
  "<|begin_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
  "<|image|>",
  "<|python_tag|>",
];

describe("PT-03: what looks like structure stays text", () => {
  const conversation = (word: string) => ({
    messages: [
      say("user", "x"),
      {
        ...say("assistant", ""),
        toolCalls: [{ id: "a", name: "get_weather", arguments: JSON.stringify({ [word]: word }) }],
      },
      result("a", word),
    ],
    functions: [
      {
        ...weather,
        description: word,
        parameters: { type: "object", properties: { [word]: { description: word } } },
      },
    ],
  });

  test.each(structure)("%s in descriptions, schemas, arguments and results", async (word) => {
    for (const tokenizer of [released, plain]) {
      const specials = async (inside: string) => {
        const { messages, functions } = conversation(inside);
        const { tokenIds, text: rendered } = await render(tokenizer, messages, functions);
        expect(rendered.split(inside).length).toBeGreaterThan(5);
        return tokenIds.filter((id) => tokenizer.vocabulary.isSpecial(id));
      };
      expect(await specials(word)).toEqual(await specials("harmless"));
    }
  });
});
