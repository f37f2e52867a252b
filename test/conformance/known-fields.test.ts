/**
 * Every field that the types of OpenAI's, Anthropic's and Ollama's own clients know is read here, refused by
 * name, or listed as one that changes nothing. A field that a newer client brings fails this test by its name.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ChatCompletionRequest,
  CompletionRequest,
  CountTokensRequest,
  CreateBatchRequest,
  FileUploadFields,
  ListBatchesQuery,
  ListFilesQuery,
  ListItemsQuery,
  MessagesRequest,
  ModerationRequest,
  OllamaChatRequest,
  OllamaCopyRequest,
  OllamaGenerateRequest,
  OllamaMessage,
  OllamaNameRequest,
  OllamaOptions,
  ResponsesRequest,
  RetrieveResponseQuery,
} from "@atalaya/protocol";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { packageRoot } from "../../src/config/package.ts";
import {
  generatingHints,
  type HintFields,
  type UnsupportedFields,
  unsupportedByChat,
  unsupportedByCompletions,
} from "../../src/server/known-fields.ts";
import * as anthropic from "../../src/server/routes/anthropic/fields.ts";
import * as ollama from "../../src/server/routes/ollama/fields.ts";
import * as responses from "../../src/server/routes/openai/responses/fields.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

type Known = {
  readonly schema: z.ZodObject;
  readonly unsupported?: UnsupportedFields;
  readonly hints?: HintFields;
};

const openai = (file: string): string => `openai/resources/${file}.d.ts`;
const claude = (file: string): string => `@anthropic-ai/sdk/resources/${file}.d.ts`;
const ollamaTypes = "ollama/dist/browser.d.ts";

const chat: Known = {
  schema: ChatCompletionRequest,
  unsupported: unsupportedByChat,
  hints: generatingHints,
};
const messages: Known = {
  schema: MessagesRequest,
  unsupported: anthropic.unsupportedByMessages,
  hints: anthropic.messagesHints,
};
const counted: Known = { ...messages, schema: CountTokensRequest };

/** What is sent → the type that says so, in a client's package. */
const sent: readonly {
  readonly what: string;
  readonly file: string;
  readonly type: string;
  readonly known: Known;
}[] = [
  {
    what: "POST /v1/chat/completions",
    file: openai("chat/completions/completions"),
    type: "ChatCompletionCreateParamsBase",
    known: chat,
  },
  {
    what: "POST /v1/completions",
    file: openai("completions"),
    type: "CompletionCreateParamsBase",
    known: {
      schema: CompletionRequest,
      unsupported: unsupportedByCompletions,
      hints: generatingHints,
    },
  },
  {
    what: "POST /v1/responses",
    file: openai("responses/responses"),
    type: "ResponseCreateParamsBase",
    known: {
      schema: ResponsesRequest,
      unsupported: responses.unsupportedByResponses,
      hints: responses.responsesHints,
    },
  },
  {
    what: "GET /v1/responses/{id}",
    file: openai("responses/responses"),
    type: "ResponseRetrieveParamsBase",
    known: {
      schema: RetrieveResponseQuery,
      unsupported: responses.unsupportedByRetrieval,
      hints: responses.retrievalHints,
    },
  },
  {
    what: "GET /v1/responses/{id}/input_items",
    file: openai("responses/input-items"),
    type: "InputItemListParams",
    known: { schema: ListItemsQuery },
  },
  {
    what: "POST /v1/files",
    file: openai("files"),
    type: "FileCreateParams",
    known: { schema: FileUploadFields },
  },
  {
    what: "GET /v1/files",
    file: openai("files"),
    type: "FileListParams",
    known: { schema: ListFilesQuery },
  },
  {
    what: "POST /v1/batches",
    file: openai("batches"),
    type: "BatchCreateParams",
    known: { schema: CreateBatchRequest },
  },
  {
    what: "GET /v1/batches",
    file: openai("batches"),
    type: "BatchListParams",
    known: { schema: ListBatchesQuery },
  },
  {
    what: "POST /v1/moderations",
    file: openai("moderations"),
    type: "ModerationCreateParams",
    known: { schema: ModerationRequest },
  },
  {
    what: "POST /v1/messages",
    file: claude("messages/messages"),
    type: "MessageCreateParamsBase",
    known: messages,
  },
  {
    what: "POST /v1/messages/count_tokens",
    file: claude("messages/messages"),
    type: "MessageCountTokensParams",
    known: counted,
  },
  {
    what: "POST /v1/messages?beta=true",
    file: claude("beta/messages/messages"),
    type: "MessageCreateParamsBase",
    known: messages,
  },
  {
    what: "POST /v1/messages/count_tokens?beta=true",
    file: claude("beta/messages/messages"),
    type: "MessageCountTokensParams",
    known: counted,
  },
  {
    what: "POST /api/chat",
    file: ollamaTypes,
    type: "ChatRequest",
    known: {
      schema: OllamaChatRequest,
      unsupported: ollama.unsupportedByChat,
      hints: ollama.generatingHints,
    },
  },
  {
    what: "messages of POST /api/chat",
    file: ollamaTypes,
    type: "Message",
    known: { schema: OllamaMessage, unsupported: ollama.unsupportedByMessages },
  },
  {
    what: "POST /api/generate",
    file: ollamaTypes,
    type: "GenerateRequest",
    known: {
      schema: OllamaGenerateRequest,
      unsupported: ollama.unsupportedByGenerate,
      hints: ollama.generatingHints,
    },
  },
  {
    what: "options of Ollama's routes",
    file: ollamaTypes,
    type: "Options",
    known: {
      schema: OllamaOptions,
      unsupported: ollama.unsupportedOptions,
      hints: ollama.optionHints,
    },
  },
  {
    what: "POST /api/show",
    file: ollamaTypes,
    type: "ShowRequest",
    known: {
      schema: OllamaNameRequest,
      unsupported: ollama.unsupportedByShow,
      hints: ollama.showHints,
    },
  },
  {
    what: "POST /api/pull",
    file: ollamaTypes,
    type: "PullRequest",
    known: { schema: OllamaNameRequest, hints: ollama.pullHints },
  },
  {
    what: "POST /api/copy",
    file: ollamaTypes,
    type: "CopyRequest",
    known: { schema: OllamaCopyRequest },
  },
  {
    what: "DELETE /api/delete",
    file: ollamaTypes,
    type: "DeleteRequest",
    known: { schema: OllamaNameRequest },
  },
];

/** Read by something else than a table. */
const elsewhere: ReadonlySet<string> = new Set([
  // The file itself, and a form's way to write a member.
  "POST /v1/files file",
  "POST /v1/files expires_after",
  // Depends on whether there is a penalty.
  "options of Ollama's routes repeat_last_n",
]);

type Field = { readonly name: string; readonly comment: string };

function fieldsOf(file: string, type: string): readonly Field[] {
  const path = join(packageRoot(), "node_modules", file);
  const source = ts.createSourceFile(
    path,
    readFileSync(path, "utf8"),
    ts.ScriptTarget.Latest,
    true,
  );
  const fields: Field[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === type) {
      for (const member of node.members) {
        const comment = ts
          .getJSDocCommentsAndTags(member)
          .map((part) => part.getText(source))
          .join("\n");
        fields.push({ name: member.name?.getText(source) ?? "", comment });
      }
      // OpenAI's lists: the page they begin at, and its size.
      if (node.heritageClauses?.some((clause) => clause.getText(source).includes("CursorPage"))) {
        fields.push({ name: "after", comment: "" }, { name: "limit", comment: "" });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return fields.filter(({ comment }) => !comment.includes("Header param:"));
}

describe("what the clients' types know is known here", () => {
  test.each(sent)("$what", ({ what, file, type, known }) => {
    const fields = fieldsOf(file, type);
    expect(fields.length, `${file} has no ${type}`).toBeGreaterThan(0);
    const names = new Set([
      ...Object.keys(known.schema.shape),
      ...Object.keys(known.unsupported ?? {}),
      ...Object.keys(known.hints ?? {}),
    ]);
    const unknown = fields
      .map(({ name }) => name)
      .filter((name) => !names.has(name) && !elsewhere.has(`${what} ${name}`));
    expect(unknown).toEqual([]);
  });

  test("no field has two fates", () => {
    const twice = sent.flatMap(({ what, known }) => {
      const tables = [known.schema.shape, known.unsupported ?? {}, known.hints ?? {}];
      const names = tables.flatMap((table) => Object.keys(table));
      return names
        .filter((name, at) => names.indexOf(name) !== at)
        .map((name) => `${what} ${name}`);
    });
    expect(twice).toEqual([]);
  });
});

/** What Xinference's server takes beside OpenAI's fields, which its clients pass through as they are. */
const ofXinference = [
  "top_k",
  "repetition_penalty",
  "stop_token_ids",
  "stream_interval",
  "lora_name",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "guided_json_object",
  "guided_decoding_backend",
  "guided_whitespace_pattern",
  "extra_body",
] as const;

test.each([
  {
    what: "chat",
    known: chat,
    more: ["chat_template_kwargs", "enable_thinking", "skip_special_tokens"],
  },
  {
    what: "completions",
    known: {
      schema: CompletionRequest,
      unsupported: unsupportedByCompletions,
      hints: generatingHints,
    },
    more: ["logprobs", "echo", "suffix", "best_of", "user"],
  },
])("what Xinference takes is known: $what", ({ known, more }) => {
  const names = new Set([
    ...Object.keys(known.schema.shape),
    ...Object.keys(known.unsupported ?? {}),
    ...Object.keys(known.hints ?? {}),
  ]);
  expect([...ofXinference, ...more].filter((name) => !names.has(name))).toEqual([]);
});

describe("and has the fate that its table says", () => {
  let server: FakeServer;
  beforeAll(async () => {
    server = await serveFakeEngine("A red circle.");
  });
  afterAll(async () => await server[Symbol.asyncDispose]());

  const question = [{ role: "user", content: "What is it?" }];
  const bodies: Readonly<Record<string, object>> = {
    "POST /v1/chat/completions": { messages: question },
    "POST /v1/completions": { prompt: "It is" },
    "POST /v1/responses": { input: "What is it?" },
    "POST /v1/messages": { messages: question, max_tokens: 20 },
    "POST /v1/messages/count_tokens": { messages: question },
    "POST /api/chat": { messages: question },
    "POST /api/generate": { prompt: "It is" },
    "POST /api/show": {},
    "POST /api/pull": {},
  };
  const routes = sent.filter(({ what }) => bodies[what] !== undefined);

  const post = async (what: string, fields: object): Promise<Response> =>
    await fetch(`${server.url}${what.slice("POST ".length)}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "fake", ...bodies[what], ...fields }),
    });

  test.each(routes)("$what", async ({ what, known }) => {
    for (const field of Object.keys(known.unsupported ?? {})) {
      const reply = await post(what, { [field]: { asks: "something" } });
      const text = await reply.text();
      expect(reply.status, `${field}: ${text}`).toBe(400);
      expect(text).toContain(`This version does not support \\"${field}\\"`);
      const nothing = await post(what, { [field]: null });
      expect(nothing.status, `${field}: null`).toBe(200);
      expect(nothing.headers.get("x-ignored-fields"), `${field}: null`).toBeNull();
      await nothing.text();
    }
    for (const field of Object.keys(known.hints ?? {})) {
      for (const stream of [true, false]) {
        const isOnlyWhole = /count_tokens|show/.test(what);
        const reply = await post(what, {
          [field]: { asks: "something" },
          ...(isOnlyWhole ? {} : { stream }),
        });
        const text = await reply.text();
        expect(reply.status, `${field}: ${text}`).toBe(200);
        expect(reply.headers.get("x-ignored-fields"), field).toBe(field);
      }
    }
  });

  test.each([
    {
      what: "POST /v1/chat/completions",
      fields: {
        messages: [
          {
            role: "user",
            name: "ann",
            content: [{ type: "text", text: "Hi", prompt_cache_breakpoint: {} }],
          },
          { role: "assistant", content: "Ho", refusal: null, annotations: [], audio: null },
          { role: "user", content: "And?" },
        ],
        stream: true,
        stream_options: { include_usage: true, include_obfuscation: true },
        structured_outputs: { regex: "a", disable_fallback: true },
      },
      ignored: [
        "stream_options.include_obfuscation",
        "structured_outputs.disable_fallback",
        "messages[].name",
        "messages[].content[].prompt_cache_breakpoint",
      ],
    },
    {
      what: "POST /v1/responses",
      fields: {
        input: [
          {
            role: "assistant",
            phase: "commentary",
            content: [{ type: "output_text", text: "Hi", annotations: [], logprobs: [] }],
          },
          { role: "user", content: [{ type: "input_text", text: "Hi", cache_control: {} }] },
        ],
        text: { verbosity: "low" },
        stream: true,
        stream_options: { include_obfuscation: true },
      },
      ignored: [
        "text.verbosity",
        "stream_options.include_obfuscation",
        "input[].phase",
        "input[].content[].cache_control",
      ],
    },
    {
      what: "POST /v1/messages",
      fields: {
        messages: [{ role: "user", content: [{ type: "text", text: "Hi", cache_control: {} }] }],
        system: [{ type: "text", text: "Be brief.", cache_control: {} }],
        output_config: { effort: "low" },
        metadata: { user_id: "u" },
        stream: true,
      },
      ignored: [
        "output_config.effort",
        "messages[].content[].cache_control",
        "system[].cache_control",
      ],
    },
    {
      what: "POST /api/chat",
      fields: { options: { num_gpu: 1, use_mmap: true, mirostat: 0, mirostat_tau: 5 } },
      ignored: ["options.num_gpu", "options.use_mmap", "options.mirostat_tau"],
    },
  ])("$what, further inside", async ({ what, fields, ignored }) => {
    const reply = await post(what, fields);
    expect(reply.status, await reply.text()).toBe(200);
    expect(reply.headers.get("x-ignored-fields")?.split(", ")).toEqual(ignored);
  });

  test("GET /v1/responses/{id}", async () => {
    const made = await post("POST /v1/responses", {});
    const { id } = (await made.json()) as { id: string };
    const get = async (query: string): Promise<Response> =>
      await fetch(`${server.url}/v1/responses/${id}?${query}`);
    for (const field of ["stream", "starting_after"]) {
      const reply = await get(`${field}=1`);
      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({
        error: { code: "unsupported_parameter", param: field },
      });
    }
    const fine = await get("stream=false&include=message.output_text.logprobs&colour=1");
    expect(fine.status).toBe(200);
    expect(fine.headers.get("x-ignored-fields")).toBe("colour");
  });

  test("a form's fields", async () => {
    const form = new FormData();
    form.append("purpose", "vision");
    form.append("colour", "red");
    form.append("file", new Blob(["x"]));
    const reply = await fetch(`${server.url}/v1/files`, { method: "POST", body: form });
    expect(reply.status).toBe(200);
    expect(reply.headers.get("x-ignored-fields")).toBe("colour");
  });
});
