import Anthropic from "@anthropic-ai/sdk";
import type { ClientUnderTest, Question } from "./client.ts";

function toBody({
  model,
  system,
  text,
  picture,
}: Question): Anthropic.MessageCreateParamsNonStreaming {
  const content: Anthropic.ContentBlockParam[] = [{ type: "text", text }];
  if (picture !== undefined) {
    content.push({
      type: "image",
      source: { type: "base64", media_type: "image/png", data: picture.toString("base64") },
    });
  }
  return {
    model,
    max_tokens: 4_096,
    ...(system === undefined ? {} : { system }),
    messages: [{ role: "user", content }],
  };
}

const clientOf = (url: string): Anthropic =>
  new Anthropic({ baseURL: url, apiKey: "unused", maxRetries: 0 });

export const anthropic: ClientUnderTest = {
  packages: ["@anthropic-ai/sdk"],
  dialect: "Anthropic",
  async ask(url, question) {
    const { content } = await clientOf(url).messages.create(toBody(question));
    return content.map((block) => (block.type === "text" ? block.text : "")).join("");
  },
  async *stream(url, question) {
    for await (const event of clientOf(url).messages.stream(toBody(question))) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
        yield event.delta.text;
      }
    }
  },
  async object(url, question, { schema }) {
    const format = { type: "json_schema", schema: { ...schema } } as const;
    const body = { ...toBody(question), output_config: { format } };
    return (await clientOf(url).messages.parse(body)).parsed_output;
  },
  async call(url, question, { name, schema }) {
    const { content } = await clientOf(url).messages.create({
      ...toBody(question),
      tools: [{ name, input_schema: { type: "object", ...schema } }],
      tool_choice: { type: "tool", name },
    });
    const made = content.find((block) => block.type === "tool_use");
    return made?.type === "tool_use" ? { name: made.name, arguments: made.input } : undefined;
  },
};
