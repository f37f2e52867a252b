/** Responses of the last while, in memory; the oldest are forgotten. */
import type { ResponseObject, ResponseStoredItem } from "@atalaya/protocol";
import { sees, type Viewer } from "../../../../base/viewer.ts";
import { itemsOf, type ResponseStore, type StoredResponse } from "./response-store.ts";

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

  async put(stored: StoredResponse): Promise<void> {
    this.#put(stored);
  }

  #put(stored: StoredResponse): void {
    this.#delete(stored.response.id);
    // Two bytes a character, which is what a string takes at most.
    const sizeBytes = 2 * JSON.stringify(stored).length;
    this.#entries.set(stored.response.id, { stored, sizeBytes, at: this.#now() });
    this.#sizeBytes += sizeBytes;
    this.#forget();
  }

  async update(response: ResponseObject): Promise<boolean> {
    this.#forget();
    const before = this.#entries.get(response.id)?.stored;
    if (before === undefined) return false;
    this.#put({ ...before, response });
    return true;
  }

  async get(id: string, viewer: Viewer): Promise<StoredResponse | undefined> {
    this.#forget();
    const stored = this.#entries.get(id)?.stored;
    return stored !== undefined && sees(viewer, stored.owner) ? stored : undefined;
  }

  async findItem(id: string, viewer: Viewer): Promise<ResponseStoredItem | undefined> {
    this.#forget();
    for (const { stored } of this.#entries.values()) {
      if (!sees(viewer, stored.owner)) continue;
      const found = itemsOf(stored).find((item) => item.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async delete(id: string, viewer: Viewer): Promise<boolean> {
    return (await this.get(id, viewer)) !== undefined && this.#delete(id);
  }

  #delete(id: string): boolean {
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
      this.#delete(id);
    }
  }
}
