/**
 * Requests under way by the id their client gave them, so that another call can end one. What an asker calls its
 * requests is its own: two that call theirs the same do not meet.
 */
import { PlatformError } from "../base/errors.ts";
import type { Owner } from "../base/viewer.ts";

/** Whose request it is, which model it is put to, and what its client calls it. */
export type RequestName = {
  readonly owner: Owner;
  readonly model: string;
  readonly id: string;
};

export interface RunningRequest extends Disposable {
  /** Aborts when somebody asks for it. */
  readonly signal: AbortSignal;
}

export class RunningRequests {
  readonly #controllers = new Map<string, Set<AbortController>>();

  /** Disposing what this gives takes the request off the list. */
  add(name: RequestName): RunningRequest {
    const key = keyOf(name);
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
  abort(name: RequestName): boolean {
    const found = this.#controllers.get(keyOf(name));
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

const keyOf = ({ owner, model, id }: RequestName): string => JSON.stringify([owner, model, id]);
