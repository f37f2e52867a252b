import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { ChatOpenAI } from "@langchain/openai";
import { type ClientUnderTest, dataUrl, type Question } from "./client.ts";

function toMessages({ system, text, picture }: Question): BaseMessage[] {
  const question = new HumanMessage({
    content: [
      { type: "text", text },
      ...(picture === undefined
        ? []
        : [{ type: "image_url" as const, image_url: { url: dataUrl(picture) } }]),
    ],
  });
  return system === undefined ? [question] : [new SystemMessage(system), question];
}

function langchain(
  packages: readonly string[],
  dialect: ClientUnderTest["dialect"],
  modelOf: (url: string, name: string) => BaseChatModel,
): ClientUnderTest {
  return {
    packages,
    dialect,
    async ask(url, question) {
      return (await modelOf(url, question.model).invoke(toMessages(question))).text;
    },
    async *stream(url, question) {
      const controller = new AbortController();
      const stream = await modelOf(url, question.model).stream(toMessages(question), {
        signal: controller.signal,
      });
      const chunks = stream[Symbol.asyncIterator]();
      try {
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
          yield next.value.text;
        }
      } finally {
        // It looks at the signal when the next chunk comes, and not when a loop is left.
        controller.abort();
        await chunks.next().catch(() => undefined);
      }
    },
  };
}

export const langchainOpenai = langchain(
  ["@langchain/openai"],
  "OpenAI",
  (url, model) =>
    new ChatOpenAI({
      model,
      apiKey: "unused",
      temperature: 0,
      maxRetries: 0,
      configuration: { baseURL: `${url}/v1` },
    }),
);

export const langchainOllama = langchain(
  ["@langchain/ollama"],
  "Ollama",
  (url, model) => new ChatOllama({ model, baseUrl: url, temperature: 0, maxRetries: 0 }),
);
