/**
 * Pictures' cross-attention states by content hash: an image is paid for once.
 *
 * States in use are never dropped; of the others the least recently used go first to make room for a
 * new picture. Whether there is room beside those in use, `hasRoomFor` says. Equal pictures that are asked for at the same time are encoded once.
 */
import type { Picture } from "../../generation/engine-prompt.ts";
import { pictureKey } from "./block-keys.ts";
import type { CrossStates } from "./model-runner.ts";

/** Where a picture's states came from. */
export type StatesOrigin = "encoded" | "disk";

/** What encoding gives. */
export type NewStates = { readonly states: CrossStates; readonly origin: StatesOrigin };

type Entry = {
  readonly made: Promise<NewStates>;
  /** Ends the encoding when nobody waits for it any more. */
  readonly encoding: AbortController;
  /** Known once encoded. */
  sizeBytes: number;
  numUsers: number;
};

/** A picture's states, held until disposed. */
export interface HeldStates extends Disposable {
  readonly states: CrossStates;
  /** `memory`: they were there already. */
  readonly origin: StatesOrigin | "memory";
  /** Until they were there, milliseconds; 0 when they were already. */
  readonly encodeMs: number;
}

type EncodePicture = (picture: Picture, signal: AbortSignal) => Promise<NewStates>;

export class VisionCache implements Disposable {
  readonly #encode: EncodePicture;
  readonly #budgetBytes: number;
  readonly #maxPictureBytes: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  #usedBytes = 0;

  /** @param maxPictureBytes what one picture's states take, at most */
  constructor(encode: EncodePicture, budgetBytes: number, maxPictureBytes = 0) {
    this.#encode = encode;
    this.#budgetBytes = budgetBytes;
    this.#maxPictureBytes = maxPictureBytes;
  }

  get numPictures(): number {
    return this.#entries.size;
  }

  /** Of all states, those in use included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether a picture's states are there, or being encoded. */
  has(picture: Picture): boolean {
    return this.#entries.has(pictureKey(picture));
  }

  /** Whether a picture can be held within the budget, beside those that are held already. */
  hasRoomFor(picture: Picture): boolean {
    const wanted = pictureKey(picture);
    let bytes = this.#entries.get(wanted)?.numUsers === 0 ? 0 : this.#maxPictureBytes;
    for (const [key, { numUsers, sizeBytes }] of this.#entries) {
      if (numUsers > 0 && key === wanted) return true;
      if (numUsers > 0 || key === wanted) bytes += sizeBytes || this.#maxPictureBytes;
    }
    return bytes <= this.#budgetBytes;
  }

  /**
   * Take hold of a picture's states, encoding them if they are not there.
   *
   * @param signal lets go while they are encoded; when all have let go, the encoding ends
   */
  async acquire(picture: Picture, signal?: AbortSignal): Promise<HeldStates> {
    signal?.throwIfAborted();
    const key = pictureKey(picture);
    const start = performance.now();
    const found = this.#entries.get(key);
    const entry = found ?? this.#newEntry(picture);
    // Most recently used is last.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.numUsers++;
    const letGo = (): void => {
      entry.numUsers--;
      if (entry.numUsers > 0 || entry.sizeBytes > 0) return;
      // Whoever comes now begins anew.
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      entry.encoding.abort(signal?.reason);
    };
    signal?.addEventListener("abort", letGo, { once: true });
    let made: NewStates;
    try {
      made = await entry.made;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    } finally {
      signal?.removeEventListener("abort", letGo);
    }
    const { states, origin } = made;
    if (entry.sizeBytes === 0) {
      entry.sizeBytes = states.sizeBytes;
      this.#usedBytes += states.sizeBytes;
      await this.#dropUnused(this.#budgetBytes);
    }
    // It let go of them already, but they came in time for others or for later.
    signal?.throwIfAborted();
    let isHeld = true;
    return {
      states,
      origin: found === undefined ? origin : "memory",
      encodeMs: found === undefined ? performance.now() - start : 0,
      [Symbol.dispose]: () => {
        if (isHeld) entry.numUsers--;
        isHeld = false;
      },
    };
  }

  #newEntry(picture: Picture): Entry {
    const encoding = new AbortController();
    const made = this.#encodeWithRoom(picture, encoding.signal);
    return { made, encoding, sizeBytes: 0, numUsers: 0 };
  }

  async #encodeWithRoom(picture: Picture, signal: AbortSignal): Promise<NewStates> {
    await this.#dropUnused(this.#budgetBytes - this.#maxPictureBytes);
    return await this.#encode(picture, signal);
  }

  /** Until no more than `maxBytes` are left, or all that is left is in use. */
  async #dropUnused(maxBytes: number): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#usedBytes <= maxBytes) return;
      if (entry.numUsers > 0) continue;
      this.#entries.delete(key);
      this.#usedBytes -= entry.sizeBytes;
      (await entry.made).states[Symbol.dispose]();
    }
  }

  /** Free all states. Nobody may hold any. */
  [Symbol.dispose](): void {
    for (const { made } of this.#entries.values()) {
      made.then(
        ({ states }) => states[Symbol.dispose](),
        () => {}, // it was never encoded, and whoever asked for it knows
      );
    }
    this.#entries.clear();
  }
}
