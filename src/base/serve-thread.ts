/** The inside of a worker thread: see `worker-thread.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { PlatformError } from "./errors.ts";
import type { ThreadMessage } from "./worker-thread.ts";

export type ThreadService<Question, Value, Ready> = {
  /** Sent once, before any question. */
  readonly ready: Ready;
  readonly answer: (question: Question) => Value | Promise<Value>;
};

/**
 * Answer the questions of the thread that started this one.
 *
 * A `PlatformError` goes back as an answer of its kind. Anything else that is thrown ends the thread.
 *
 * @param start makes the service from the data that the starter gave
 */
export function serveThread<Data, Question, Value, Ready>(
  start: (
    data: Data,
  ) => ThreadService<Question, Value, Ready> | Promise<ThreadService<Question, Value, Ready>>,
): void {
  const port = parentPort;
  if (port === null) throw new Error("this module is the inside of a worker thread");
  const say = (message: ThreadMessage): void => port.postMessage(message);
  // A rejection that is no refusal ends the thread, since nobody handles it.
  void orRefusal(() => start(workerData as Data), say).then((service) => {
    if (service === undefined) return;
    port.on("message", (question: Question) => {
      void orRefusal(async () => ({ value: await service.answer(question) }), say).then(
        (answer) => answer !== undefined && say({ type: "answer", value: answer.value }),
      );
    });
    say({ type: "ready", value: service.ready });
  });
}

async function orRefusal<Value>(
  work: () => Value | Promise<Value>,
  say: (message: ThreadMessage) => void,
): Promise<Value | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    say({ type: "refused", code: error.code, message: error.message });
    return undefined;
  }
}
