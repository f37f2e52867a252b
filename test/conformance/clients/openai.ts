import OpenAI from "openai";
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

const clientOf = (url: string): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });

export const openai: ClientUnderTest = {
  packages: ["openai"],
  dialect: "OpenAI",
  async ask(url, question) {
    const answer = await clientOf(url).chat.completions.create({
      model: question.model,
      messages: toMessages(question),
      temperature: 0,
    });
    return answer.choices[0]?.message.content ?? "";
  },
  async *stream(url, question) {
    const chunks = await clientOf(url).chat.completions.create({
      model: question.model,
      messages: toMessages(question),
      temperature: 0,
      stream: true,
    });
    for await (const chunk of chunks) yield chunk.choices[0]?.delta.content ?? "";
  },
};
