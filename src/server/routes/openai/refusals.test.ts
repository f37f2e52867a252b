import { fastify } from "fastify";
import { afterAll, expect, test } from "vitest";
import { createLogger } from "../../../base/logger.ts";
import { sendError } from "../../error-reply.ts";
import { refusals } from "./refusals.ts";

const app = fastify();
app.setErrorHandler((error, _request, reply) => sendError(reply, error, createLogger("silent")));
refusals(app);
afterAll(async () => await app.close());

test.each([
  { path: "/v1/audio/transcriptions", status: 404, says: /neither hears nor speaks/ },
  { path: "/v1/audio/speech", status: 404, says: /neither hears nor speaks/ },
  { path: "/v1/images/generations", status: 404, says: /looks at pictures and makes none/ },
  { path: "/v1/video/generations?x=1", status: 404, says: /looks at pictures and makes none/ },
  { path: "/v1/vector_stores", status: 404, says: /previous_response_id/ },
  { path: "/v1/fine_tuning/jobs", status: 404, says: /trains none/ },
  {
    path: "/v1/uploads",
    status: 404,
    says: /Send the file whole, up to 200 MiB, to POST \/v1\/files/,
  },
  { path: "/v1/chat/completions/chatcmpl-1", status: 404, says: /are not kept.*\/v1\/responses/ },
  { path: "/v1/responses/compact", status: 404, says: /"truncation": "auto"/ },
  { path: "/v1/responses/input_tokens", status: 404, says: /\/v1\/messages\/count_tokens/ },
  { path: "/v1/embeddings", status: 400, says: /makes no embeddings/ },
  { path: "/v1/rerank", status: 400, says: /ranks nothing/ },
])("$path is refused with where to go", async ({ path, status, says }) => {
  const isAudio = path.includes("transcriptions");
  const reply = await app.inject({
    method: "POST",
    url: path,
    headers: { "content-type": isAudio ? "multipart/form-data; boundary=x" : "application/json" },
    payload: isAudio ? "--x--" : "{}",
  });
  expect(reply.statusCode).toBe(status);
  expect(reply.json()).toMatchObject({ error: { message: expect.stringMatching(says) } });
});
