/** Pictures that OpenAI's client uploads first, and names in a question afterwards. */
import OpenAI, { APIError, toFile } from "openai";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: OpenAI;
let picture: Buffer;

beforeAll(async () => {
  server = await serveFakeEngine("A red circle.");
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
  const red = { create: { width: 30, height: 20, channels: 3, background: "red" } } as const;
  picture = await sharp(red).png().toBuffer();
});
beforeEach(() => {
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

async function upload(bytes: Buffer, purpose: OpenAI.FilePurpose = "vision"): Promise<string> {
  return (await client.files.create({ file: await toFile(bytes, "a.png"), purpose })).id;
}

type Part = OpenAI.Responses.ResponseInputContent;

async function respond(part: Part): Promise<OpenAI.Responses.Response> {
  const content: Part[] = [{ type: "input_text", text: "What is it?" }, part];
  return await client.responses.create({ model: "fake", input: [{ role: "user", content }] });
}

async function failure(answer: Promise<unknown>): Promise<APIError> {
  const error: unknown = await answer.catch((reason: unknown) => reason);
  if (error instanceof APIError) return error;
  throw new Error("it was answered");
}

const seen = (): unknown => server.engine.requests[0]?.prompt.pictures;

describe("a picture that was uploaded", () => {
  test.each([
    (id: string): Part => ({ type: "input_image", file_id: id, detail: "auto" }),
    (id: string): Part => ({ type: "input_file", file_id: id }),
  ])("is seen by a response, as an image and as a file", async (part) => {
    await respond(part(await upload(picture)));
    expect(seen()).toMatchObject([{ width: 30, height: 20 }]);
  });

  test("has the detail that it is asked for with", async () => {
    await respond({ type: "input_image", file_id: await upload(picture), detail: "low" });
    expect(seen()).toMatchObject([{ maxTiles: 1 }]);
  });

  test("is seen by a chat, and by Anthropic's messages", async () => {
    const id = await upload(picture, "user_data");
    const content: OpenAI.Chat.ChatCompletionContentPart[] = [
      { type: "text", text: "What is it?" },
      { type: "file", file: { file_id: id } },
    ];
    await client.chat.completions.create({ model: "fake", messages: [{ role: "user", content }] });
    expect(seen()).toMatchObject([{ width: 30, height: 20 }]);
    const image = { type: "image", source: { type: "file", file_id: id } };
    const messages = [{ role: "user", content: [image] }];
    const reply = await fetch(`${server.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "fake", max_tokens: 10, messages }),
    });
    expect(reply.status).toBe(200);
    expect(server.engine.requests[1]?.prompt.pictures).toHaveLength(1);
  });

  test("is there for the next turn too, while its file is", async () => {
    const id = await upload(picture);
    const first = await respond({ type: "input_image", file_id: id, detail: "auto" });
    const next = { model: "fake", previous_response_id: first.id, input: "And now?" };
    await client.responses.create(next);
    expect(server.engine.requests.at(-1)?.prompt.pictures).toHaveLength(1);
    await client.files.delete(id);
    expect(await failure(client.responses.create(next))).toMatchObject({
      status: 404,
      code: "not_found",
      param: "previous_response_id.content[1].file_id",
    });
  });
});

describe("a file that cannot be seen is refused by the name of its field", () => {
  const param = "input[0].content[1].file_id";

  test("because it is not there", async () => {
    const error = await failure(
      respond({ type: "input_image", file_id: "file-nobody", detail: "auto" }),
    );
    expect(error).toMatchObject({ status: 404, code: "not_found", param });
    expect(error.message).toMatch(/There is no such file.*GET \/v1\/files/);
  });

  test("because it is no picture, whatever it was uploaded for", async () => {
    const id = await upload(Buffer.from("%PDF-1.7 and more of it"), "user_data");
    const error = await failure(respond({ type: "input_file", file_id: id }));
    expect(error).toMatchObject({ status: 400, code: "invalid_image", param });
    expect(error.message).toMatch(/no PNG, JPEG, WebP or GIF picture/);
  });

  test("because it is larger than a picture may be", async () => {
    const id = await upload(Buffer.alloc(20 * 1024 * 1024 + 1));
    const error = await failure(respond({ type: "input_image", file_id: id, detail: "auto" }));
    expect(error).toMatchObject({ status: 400, code: "invalid_image", param });
    expect(error.message).toMatch(/has 20971521 bytes; a picture has 20971520 at most/);
  });
});
