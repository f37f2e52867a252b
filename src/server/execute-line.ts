/** A line of a batch is asked as its owner asks: by the same routes, with the same checks, limits and answers. */
import { z } from "zod";
import type { ExecuteLine } from "../batches/batch-runner.ts";
import { askItself } from "./abort.ts";
import type { App } from "./http.ts";

const Limited = z.object({ error: z.object({ code: z.literal("rate_limited") }) });

/** @param app that nobody else talks to; it is made when the first line needs it */
export function executeIn(app: () => App): ExecuteLine {
  return async ({ url, body }, { signal, owner }) => {
    const reply = await askItself({ signal, owner }, async () =>
      app().inject({
        method: "POST",
        url,
        headers: { host: "localhost", "content-type": "application/json" },
        payload: JSON.stringify(body),
        signal,
      }),
    );
    const requestId = reply.headers["x-request-id"];
    const answer = parsed(reply.body);
    return {
      status: reply.statusCode,
      requestId: typeof requestId === "string" ? requestId : "",
      body: answer,
      limitedForSeconds: isAtOwnLimit(answer) ? Number(reply.headers["retry-after"]) : undefined,
    };
  };
}

/** Not a queue that is full for everybody. */
function isAtOwnLimit(answer: unknown): boolean {
  return Limited.safeParse(answer).success;
}

/** Every route answers JSON; if one did not, its text is still worth keeping. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
