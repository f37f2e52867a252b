/** Where responses are kept that may be asked for, continued or deleted later. */
import type { ResponseObject, ResponseStoredItem } from "@atalaya/protocol";

export type StoredResponse = {
  readonly response: ResponseObject;
  /** What it was told, without what came before; each item has its id. */
  readonly input: readonly ResponseStoredItem[];
};

/** What is not there, or no longer, is `undefined` or `false`. */
export type ResponseStore = {
  put(stored: StoredResponse): Promise<void>;
  /**
   * Takes the place of the response with its id.
   *
   * @returns whether there was one
   */
  update(response: ResponseObject): Promise<boolean>;
  get(id: string): Promise<StoredResponse | undefined>;
  /** An item that a kept response said or was told. */
  findItem(id: string): Promise<ResponseStoredItem | undefined>;
  /** @returns whether there was one */
  delete(id: string): Promise<boolean>;
};

export function isUnderWay({ status }: ResponseObject): boolean {
  return status === "queued" || status === "in_progress";
}

/** Of all that a response said or was told. */
export function itemsOf({ input, response }: StoredResponse): readonly ResponseStoredItem[] {
  return [...input, ...response.output];
}
