/** What clients of OpenAI and Xinference ask other models for: each answered with where to go. */
import { PlatformError } from "../../../base/errors.ts";
import type { App } from "../../http.ts";
import { HttpRefusal } from "../../http-refusal.ts";
import { httpLimits } from "../../limits.ts";

export const noEmbeddings =
  "Llama 3.2 Vision writes answers and makes no embeddings. Ask an embedding model for them, on another server.";

/** Routes that never were here → what to do instead. The first that fits counts. */
const elsewhere: readonly (readonly [path: RegExp, sentence: string])[] = [
  [
    /^\/v1\/(audio|realtime)\b/,
    "This server reads pictures and text, and neither hears nor speaks. Transcribe audio elsewhere, and send the text to POST /v1/chat/completions.",
  ],
  [
    /^\/v1\/(images|videos?|sdapi|flexible)\b|^\/sdapi\b/,
    "This server looks at pictures and makes none. To ask about a picture, send it to POST /v1/chat/completions.",
  ],
  [
    /^\/v1\/(assistants|threads|conversations|vector_stores|chatkit)\b/,
    "This server keeps no assistants, threads or vector stores. Continue a conversation with previous_response_id at POST /v1/responses, or send it whole to POST /v1/chat/completions.",
  ],
  [
    /^\/v1\/uploads\b/,
    "Files are not sent in parts here. Send the file whole, up to 200 MiB, to POST /v1/files.",
  ],
  [
    /^\/v1\/chat\/completions\/./,
    "Chat completions are not kept, so none can be asked for later. POST /v1/responses keeps what it answers.",
  ],
  [
    /^\/v1\/responses\/compact\b/,
    'Conversations are not compacted here. "truncation": "auto" at POST /v1/responses leaves out the oldest turns that do not fit.',
  ],
  [
    /^\/v1\/responses\/input_tokens\b/,
    "Tokens of a response are told in its usage. POST /v1/messages/count_tokens counts those of a conversation beforehand.",
  ],
  [
    /^\/v1\/(fine_tuning|fine-tunes|evals|graders|containers|skills)\b/,
    "This server runs models and trains none. Launch a checkpoint that was trained elsewhere with POST /v1/models.",
  ],
];

export function refusals(app: App): void {
  // Before the body is read: it may be of a type that no route here takes.
  app.addHook("onRequest", async (request) => {
    if (!request.is404) return;
    const path = request.url.split("?")[0] ?? "";
    const [, sentence] = elsewhere.find(([pattern]) => pattern.test(path)) ?? [];
    if (sentence !== undefined) throw new HttpRefusal(404, sentence);
  });
  app.post("/v1/embeddings", { bodyLimit: httpLimits.pictureBodyBytes }, async () => {
    throw new PlatformError("unsupported_operation", noEmbeddings);
  });
  app.post("/v1/rerank", { bodyLimit: httpLimits.pictureBodyBytes }, async () => {
    throw new PlatformError(
      "unsupported_operation",
      "Llama 3.2 Vision writes answers and ranks nothing. Ask a rerank model, on another server.",
    );
  });
}
