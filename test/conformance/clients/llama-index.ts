/** LlamaIndex's client, whose makers have retired it; people's apps have not. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../../src/config/package.ts";
import { type ClientUnderTest, dataUrl, type Question } from "./client.ts";

/** It is installed apart: npm warns of a retired package whenever it is among the others. */
export const retiredClients = join(packageRoot(), "test/conformance/retired-clients");

type ToolCall = { readonly name: string; readonly input: unknown };

type ChatModel = {
  chat(request: { messages: object[]; tools?: object[]; stream?: false }): Promise<{
    message: { content: string; options?: { toolCall?: readonly ToolCall[] } };
  }>;
  chat(request: { messages: object[]; stream: true }): Promise<AsyncIterable<{ delta: string }>>;
};

function toMessages({ system, text, picture }: Question): object[] {
  const content = [
    { type: "text", text },
    ...(picture === undefined ? [] : [{ type: "image_url", image_url: { url: dataUrl(picture) } }]),
  ];
  return [
    ...(system === undefined ? [] : [{ role: "system", content: system }]),
    { role: "user", content },
  ];
}

async function modelOf(url: string, model: string, more: object = {}): Promise<ChatModel> {
  const require = createRequire(join(retiredClients, "package.json"));
  const module: { OpenAI: new (settings: object) => ChatModel } = await import(
    pathToFileURL(require.resolve("@llamaindex/openai")).href
  );
  return new module.OpenAI({
    model,
    apiKey: "unused",
    baseURL: `${url}/v1`,
    temperature: 0,
    maxRetries: 0,
    additionalChatOptions: more,
  });
}

export const llamaIndex: ClientUnderTest = {
  packages: ["@llamaindex/openai"],
  dialect: "OpenAI",
  get missing() {
    return existsSync(join(retiredClients, "node_modules"))
      ? undefined
      : "npm ci --prefix test/conformance/retired-clients";
  },
  async ask(url, question) {
    const model = await modelOf(url, question.model);
    return (await model.chat({ messages: toMessages(question) })).message.content;
  },
  async *stream(url, question) {
    const model = await modelOf(url, question.model);
    const chunks = await model.chat({ messages: toMessages(question), stream: true });
    for await (const { delta } of chunks) yield delta;
  },
  async object(url, question, { name, schema }) {
    const form = { type: "json_schema", json_schema: { name, strict: true, schema } };
    const model = await modelOf(url, question.model, { response_format: form });
    const { message } = await model.chat({ messages: toMessages(question) });
    return JSON.parse(message.content);
  },
  async call(url, question, { name, schema }) {
    const choice = { type: "function", function: { name } };
    const model = await modelOf(url, question.model, { tool_choice: choice });
    const metadata = { name, description: "Tells what there is.", parameters: schema };
    const { message } = await model.chat({
      messages: toMessages(question),
      tools: [{ metadata, call: () => "" }],
    });
    const [made] = message.options?.toolCall ?? [];
    if (made === undefined) return undefined;
    const { input } = made;
    return { name: made.name, arguments: typeof input === "string" ? JSON.parse(input) : input };
  },
};
