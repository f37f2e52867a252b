/** A line of a batch is asked as any client asks: by the same routes, with the same checks and answers. */
import type { ExecuteLine } from "../batches/batch-runner.ts";
import { askItself } from "./abort.ts";
import type { App } from "./http.ts";

/** @param app that nobody else talks to; it is made when the first line needs it */
export function executeIn(app: () => App): ExecuteLine {
  return async ({ url, body }, { signal }) => {
    const reply = await askItself(signal, async () =>
      app().inject({
        method: "POST",
        url,
        headers: { host: "localhost", "content-type": "application/json" },
        payload: JSON.stringify(body),
        signal,
      }),
    );
    const requestId = reply.headers["x-request-id"];
    return {
      status: reply.statusCode,
      requestId: typeof requestId === "string" ? requestId : "",
      body: parsed(reply.body),
    };
  };
}

/** Every route answers JSON; if one did not, its text is still worth keeping. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
