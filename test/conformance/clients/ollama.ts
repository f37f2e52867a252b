import { type Message, Ollama } from "ollama";
import type { ClientUnderTest, Question } from "./client.ts";

function toMessages({ system, text, picture }: Question): Message[] {
  const images = picture === undefined ? {} : { images: [picture] };
  const messages: Message[] = [{ role: "user", content: text, ...images }];
  if (system !== undefined) messages.unshift({ role: "system", content: system });
  return messages;
}

const options = { temperature: 0 };

export const ollama: ClientUnderTest = {
  packages: ["ollama"],
  dialect: "Ollama",
  async ask(url, question) {
    const { model } = question;
    const client = new Ollama({ host: url });
    const answer = await client.chat({ model, messages: toMessages(question), options });
    return answer.message.content;
  },
  async *stream(url, question) {
    const { model } = question;
    const client = new Ollama({ host: url });
    const lines = await client.chat({
      model,
      messages: toMessages(question),
      options,
      stream: true,
    });
    let isDone = false;
    try {
      for await (const line of lines) {
        isDone = line.done;
        yield line.message.content;
      }
    } finally {
      if (!isDone) lines.abort();
    }
  },
  async object(url, question, { schema: format }) {
    const { model } = question;
    const client = new Ollama({ host: url });
    const answer = await client.chat({ model, messages: toMessages(question), options, format });
    return JSON.parse(answer.message.content);
  },
  async call(url, question, { name, schema }) {
    const { model } = question;
    const tools = [{ type: "function", function: { name, parameters: schema } }];
    const client = new Ollama({ host: url });
    const answer = await client.chat({ model, messages: toMessages(question), options, tools });
    return answer.message.tool_calls?.[0]?.function;
  },
  async logprobs(url, question) {
    const { model } = question;
    const client = new Ollama({ host: url });
    const messages = toMessages(question);
    const { logprobs } = await client.chat({ model, messages, options, logprobs: true });
    return (logprobs ?? []).map(({ logprob }) => logprob);
  },
};
