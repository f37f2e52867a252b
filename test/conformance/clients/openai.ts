import OpenAI from "openai";
import OpenAI4 from "openai4";
import OpenAI5 from "openai5";
import { type ClientUnderTest, dataUrl, type Question } from "./client.ts";

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
