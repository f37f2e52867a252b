/** Responses that may be asked for, continued or deleted later; in memory, the oldest are forgotten. */
import type { ResponseObject, ResponseStoredItem } from "@atalaya/protocol";

export type StoredResponse = {
  readonly response: ResponseObject;
  /** What it was told, without what came before; each item has its id. */
  readonly input: readonly ResponseStoredItem[];
};

/** Where responses are kept. What is not there, or no longer, is `undefined`. */
export type ResponseStore = {
  put(stored: StoredResponse): void;
  /** Takes the place of the response with its id; nothing is done when that was deleted. */
  update(response: ResponseObject): void;
  get(id: string): StoredResponse | undefined;
  /** An item that a kept response said or was told. */
  findItem(id: string): ResponseStoredItem | undefined;
  /** @returns whether there was one */
  delete(id: string): boolean;
};

type Entry = { readonly stored: StoredResponse; readonly sizeBytes: number; readonly at: number };

export class RecentResponses implements ResponseStore {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  #sizeBytes = 0;

  constructor({
    maxBytes = 64 * 1024 * 1024,
    maxAgeMs = 60 * 60 * 1_000,
    now = () => performance.now(),
  }: {
    readonly maxBytes?: number;
    readonly maxAgeMs?: number;
    readonly now?: () => number;
  } = {}) {
    this.#maxBytes = maxBytes;
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  put(stored: StoredResponse): void {
    this.delete(stored.response.id);
    // Two bytes a character, which is what a string takes at most.
    const sizeBytes = 2 * JSON.stringify(stored).length;
    this.#entries.set(stored.response.id, { stored, sizeBytes, at: this.#now() });
    this.#sizeBytes += sizeBytes;
    this.#forget();
  }

  update(response: ResponseObject): void {
    const before = this.get(response.id);
    if (before !== undefined) this.put({ ...before, response });
  }

  get(id: string): StoredResponse | undefined {
    this.#forget();
    return this.#entries.get(id)?.stored;
  }

  findItem(id: string): ResponseStoredItem | undefined {
    this.#forget();
    for (const { stored } of this.#entries.values()) {
      const items: readonly ResponseStoredItem[] = [...stored.input, ...stored.response.output];
      const found = items.find((item) => item.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  delete(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#sizeBytes -= entry.sizeBytes;
    return this.#entries.delete(id);
  }

  /** Those that are too old, and the oldest as long as all are too large together. */
  #forget(): void {
    for (const [id, { at }] of this.#entries) {
      const isTooOld = at < this.#now() - this.#maxAgeMs;
      if (!isTooOld && this.#sizeBytes <= this.#maxBytes) return;
      this.delete(id);
    }
  }
}
