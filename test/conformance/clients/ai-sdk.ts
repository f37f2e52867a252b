import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  generateObject,
  generateText,
  jsonSchema,
  type LanguageModel,
  type ModelMessage,
  streamText,
  tool,
} from "ai";
import type { ClientUnderTest, Question } from "./client.ts";

// It tells on the console that it does not know our models.
globalThis.AI_SDK_LOG_WARNINGS = false;

function toPrompt({ system, text, picture }: Question): {
  system?: string;
  messages: ModelMessage[];
} {
  const messages: ModelMessage[] = [
    {
      role: "user",
      content: [
        { type: "text", text },
        ...(picture === undefined
          ? []
          : [{ type: "file" as const, data: picture, mediaType: "image/png" }]),
      ],
    },
  ];
  return { ...(system === undefined ? {} : { system }), messages };
}

function aiSdk(
  packages: readonly string[],
  dialect: ClientUnderTest["dialect"],
  modelOf: (url: string, name: string) => LanguageModel,
): ClientUnderTest {
  const settings = (url: string, question: Question) => ({
    model: modelOf(url, question.model),
    ...toPrompt(question),
    temperature: 0,
    maxRetries: 0,
  });
  return {
    packages,
    dialect,
    async ask(url, question) {
      return (await generateText(settings(url, question))).text;
    },
    async *stream(url, question) {
      const controller = new AbortController();
      let failure: unknown;
      const { textStream } = streamText({
        ...settings(url, question),
        abortSignal: controller.signal,
        onError: ({ error }) => {
          failure = error;
        },
      });
      try {
        yield* textStream;
        if (failure instanceof Error) throw failure;
      } finally {
        controller.abort();
      }
    },
    async object(url, question, { name, schema }) {
      const { object } = await generateObject({
        ...settings(url, question),
        schemaName: name,
        schema: jsonSchema(schema),
      });
      return object;
    },
    async call(url, question, { name, schema }) {
      const { toolCalls } = await generateText({
        ...settings(url, question),
        tools: { [name]: tool({ inputSchema: jsonSchema(schema) }) },
        toolChoice: { type: "tool", toolName: name },
      });
      const [made] = toolCalls;
      return made === undefined ? undefined : { name: made.toolName, arguments: made.input };
    },
  };
}

export const aiOpenaiCompatible = aiSdk(
  ["ai", "@ai-sdk/openai-compatible"],
  "OpenAI",
  (url, model) =>
    createOpenAICompatible({
      name: "atalaya",
      baseURL: `${url}/v1`,
      supportsStructuredOutputs: true,
    })(model),
);

/** Its model without a suffix speaks of responses. */
export const aiOpenaiResponses = aiSdk(["ai", "@ai-sdk/openai"], "OpenAI responses", (url, model) =>
  createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" })(model),
);

export const aiOpenaiChat = aiSdk(["ai", "@ai-sdk/openai"], "OpenAI", (url, model) =>
  createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" }).chat(model),
);

export const aiAnthropic = aiSdk(["ai", "@ai-sdk/anthropic"], "Anthropic", (url, model) =>
  createAnthropic({ baseURL: `${url}/v1`, apiKey: "unused" })(model),
);
