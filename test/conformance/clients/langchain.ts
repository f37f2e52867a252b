import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
  type AIMessage,
  type BaseMessage,
  HumanMessage,
  SystemMessage,
} from "@langchain/core/messages";
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
    async object(url, question, { name, schema }) {
      const model = modelOf(url, question.model);
      const structured = model.withStructuredOutput(schema, { name, method: "jsonSchema" });
      return await structured.invoke(toMessages(question));
    },
    async call(url, question, { name, schema }) {
      const model = modelOf(url, question.model);
      if (model.bindTools === undefined) throw new Error("it binds no tools");
      const offered = { type: "function", function: { name, parameters: schema } };
      // Ollama's API has no word for it.
      const choice = dialect === "Ollama" ? {} : { tool_choice: name };
      const answer = await model.bindTools([offered], choice).invoke(toMessages(question));
      const [made] = (answer as AIMessage).tool_calls ?? [];
      return made === undefined ? undefined : { name: made.name, arguments: made.args };
    },
    ...(dialect === "OpenAI" && { several, logprobs }),
  };
}

const chatOpenai = (url: string, model: string, more: object = {}): ChatOpenAI =>
  new ChatOpenAI({
    model,
    apiKey: "unused",
    temperature: 0,
    maxRetries: 0,
    configuration: { baseURL: `${url}/v1` },
    ...more,
  });

async function several(url: string, question: Question, count: number): Promise<string[]> {
  const model = chatOpenai(url, question.model, { n: count });
  const { generations } = await model.generate([toMessages(question)]);
  return (generations[0] ?? []).map(({ text }) => text);
}

async function logprobs(url: string, question: Question): Promise<number[]> {
  const model = chatOpenai(url, question.model, { logprobs: true, topLogprobs: 2 });
  const { response_metadata: about } = await model.invoke(toMessages(question));
  const { content } = about["logprobs"] as { content: { logprob: number }[] };
  return content.map(({ logprob }) => logprob);
}

export const langchainOpenai = langchain(["@langchain/openai"], "OpenAI", chatOpenai);

export const langchainOllama = langchain(
  ["@langchain/ollama"],
  "Ollama",
  (url, model) => new ChatOllama({ model, baseUrl: url, temperature: 0, maxRetries: 0 }),
);
