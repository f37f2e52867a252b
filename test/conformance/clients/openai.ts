import OpenAI from "openai";
import OpenAI4 from "openai4";
import OpenAI5 from "openai5";
import { type Called, type ClientUnderTest, dataUrl, type Question } from "./client.ts";

type Message = OpenAI.ChatCompletionMessageParam;

function toMessages({ system, text, picture }: Question): Message[] {
  const content: OpenAI.ChatCompletionContentPart[] = [{ type: "text", text }];
  if (picture !== undefined) {
    content.push({ type: "image_url", image_url: { url: dataUrl(picture), detail: "auto" } });
  }
  const messages: Message[] = [{ role: "user", content }];
  if (system !== undefined) messages.unshift({ role: "system", content: system });
  return messages;
}

function toInput({ text, picture }: Question): OpenAI.Responses.ResponseInput {
  const content: OpenAI.Responses.ResponseInputContent[] = [{ type: "input_text", text }];
  if (picture !== undefined) {
    content.push({ type: "input_image", image_url: dataUrl(picture), detail: "auto" });
  }
  return [{ role: "user", content }];
}

function called(made: { readonly name: string; readonly arguments: string }): Called {
  return { name: made.name, arguments: JSON.parse(made.arguments) };
}

type MakeClient = (url: string) => OpenAI;

function chat(packageName: string, makeClient: MakeClient): ClientUnderTest {
  return {
    packages: [packageName],
    dialect: "OpenAI",
    async ask(url, question) {
      const answer = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
      });
      return answer.choices[0]?.message.content ?? "";
    },
    async *stream(url, question) {
      const chunks = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
        stream: true,
      });
      for await (const chunk of chunks) yield chunk.choices[0]?.delta.content ?? "";
    },
    async object(url, question, { name, schema }) {
      const answer = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
        response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
      });
      return JSON.parse(answer.choices[0]?.message.content ?? "");
    },
    async call(url, question, { name, schema }) {
      const answer = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
        tools: [{ type: "function", function: { name, parameters: schema } }],
        tool_choice: { type: "function", function: { name } },
      });
      const made = answer.choices[0]?.message.tool_calls?.[0];
      return made?.type === "function" ? called(made.function) : undefined;
    },
    async several(url, question, count) {
      const answer = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
        n: count,
      });
      return answer.choices.map(({ message }) => message.content ?? "");
    },
    async logprobs(url, question) {
      const answer = await makeClient(url).chat.completions.create({
        model: question.model,
        messages: toMessages(question),
        temperature: 0,
        logprobs: true,
        top_logprobs: 2,
      });
      return (answer.choices[0]?.logprobs?.content ?? []).map(({ logprob }) => logprob);
    },
  };
}

function responses(packageName: string, makeClient: MakeClient): ClientUnderTest {
  const settings = (question: Question) => ({
    model: question.model,
    input: toInput(question),
    instructions: question.system ?? null,
    temperature: 0,
  });
  return {
    packages: [packageName],
    dialect: "OpenAI responses",
    async ask(url, question) {
      return (await makeClient(url).responses.create(settings(question))).output_text;
    },
    async *stream(url, question) {
      const events = await makeClient(url).responses.create({
        ...settings(question),
        stream: true,
      });
      for await (const event of events) {
        if (event.type === "response.output_text.delta") yield event.delta;
      }
    },
    async object(url, question, { name, schema }) {
      const response = await makeClient(url).responses.create({
        ...settings(question),
        text: { format: { type: "json_schema", name, strict: true, schema: { ...schema } } },
      });
      return JSON.parse(response.output_text);
    },
    async call(url, question, { name, schema }) {
      const response = await makeClient(url).responses.create({
        ...settings(question),
        tools: [{ type: "function", name, strict: true, parameters: { ...schema } }],
        tool_choice: { type: "function", name },
      });
      const made = response.output.find((item) => item.type === "function_call");
      return made === undefined ? undefined : called(made);
    },
    async logprobs(url, question) {
      const response = await makeClient(url).responses.create({
        ...settings(question),
        include: ["message.output_text.logprobs"],
        top_logprobs: 2,
      });
      return response.output.flatMap((item) =>
        item.type === "message"
          ? item.content.flatMap((part) =>
              part.type === "output_text"
                ? (part.logprobs ?? []).map(({ logprob }) => logprob)
                : [],
            )
          : [],
      );
    },
  };
}

const settingsFor = (url: string) => ({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });

const makeClient: MakeClient = (url) => new OpenAI(settingsFor(url));
// What is used here has the same form in all of them; the types of the newest are checked against.
const makeClient5: MakeClient = (url) => new OpenAI5(settingsFor(url)) as unknown as OpenAI;
const makeClient4: MakeClient = (url) => new OpenAI4(settingsFor(url)) as unknown as OpenAI;

export const openaiClients: readonly ClientUnderTest[] = [
  chat("openai", makeClient),
  chat("openai5", makeClient5),
  chat("openai4", makeClient4),
  responses("openai", makeClient),
  responses("openai5", makeClient5),
  responses("openai4", makeClient4),
];
