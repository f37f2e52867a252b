/** Requests under way by the id their client gave them, so that another call can end one. */
import { PlatformError } from "../base/errors.ts";

export interface RunningRequest extends Disposable {
  /** Aborts when somebody asks for it. */
  readonly signal: AbortSignal;
}

export class RunningRequests {
  readonly #controllers = new Map<string, Set<AbortController>>();

  /** Disposing what this gives takes the request off the list. */
  add(model: string, id: string): RunningRequest {
    const key = keyOf(model, id);
    const controller = new AbortController();
    const same = this.#controllers.get(key) ?? new Set();
    same.add(controller);
    this.#controllers.set(key, same);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        same.delete(controller);
        if (same.size === 0 && this.#controllers.get(key) === same) this.#controllers.delete(key);
      },
    };
  }

  /** @returns whether there was such a request */
  abort(model: string, id: string): boolean {
    const found = this.#controllers.get(keyOf(model, id));
    for (const controller of found ?? []) {
      controller.abort(
        new PlatformError(
          "cancelled",
          "The request was aborted by another call, as was asked for.",
        ),
      );
    }
    return found !== undefined;
  }
}

const keyOf = (model: string, id: string): string => JSON.stringify([model, id]);
