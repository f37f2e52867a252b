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
};
