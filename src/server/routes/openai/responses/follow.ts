/** Keeps the record of a response while its events go by, and ends them with an event when they fail. */
import type { ResponseEvent, ResponseObject } from "@atalaya/protocol";
import type { HttpError } from "../../../error-reply.ts";
import { isUnderWay } from "./response-store.ts";
import { failedResponse } from "./to-response.ts";

export type Following = {
  /** The response before its first event. */
  readonly opening: ResponseObject;
  /** Told each new state of the response. */
  readonly update: (response: ResponseObject) => Promise<void>;
  readonly toError: (error: unknown) => HttpError;
  readonly onEnd: () => void;
};

/**
 * @returns the last state of the response
 * @throws what `events` throw; the record says so too
 */
export async function lastResponse(
  events: AsyncIterable<ResponseEvent>,
  following: Following,
): Promise<ResponseObject> {
  let response = following.opening;
  for await (const event of recorded(events, following)) {
    if ("response" in event) ({ response } = event);
  }
  return response;
}

/** A failure becomes two last events: the failed response, and the error that makes clients throw. */
export async function* withFailure(
  events: AsyncIterable<ResponseEvent>,
  following: Following,
): AsyncGenerator<ResponseEvent, void> {
  let number = 0;
  let response = following.opening;
  try {
    for await (const event of recorded(events, following)) {
      if ("response" in event) ({ response } = event);
      number = event.sequence_number + 1;
      yield event;
    }
  } catch (error) {
    const failure = following.toError(error);
    yield {
      type: "response.failed",
      response: failedResponse(response, failure),
      sequence_number: number,
    };
    const { code, message, param } = failure.body.error;
    yield {
      type: "error",
      code,
      message,
      param,
      error: failure.body.error,
      sequence_number: number + 1,
    };
  }
}

/** Whoever leaves the loop early has cancelled the response. */
async function* recorded(
  events: AsyncIterable<ResponseEvent>,
  { opening, update, toError, onEnd }: Following,
): AsyncGenerator<ResponseEvent, void> {
  let response = opening;
  try {
    for await (const event of events) {
      if ("response" in event) {
        ({ response } = event);
        // What has only begun was kept as it was opened.
        if (event.type !== "response.created") await update(response);
      }
      yield event;
    }
  } catch (error) {
    response = failedResponse(response, toError(error));
    await update(response);
    throw error;
  } finally {
    onEnd();
    if (isUnderWay(response)) await update({ ...response, status: "cancelled" });
  }
}
