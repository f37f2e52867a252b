/** Where responses are kept that may be asked for, continued or deleted later. */
import type { ResponseObject, ResponseStoredItem } from "@atalaya/protocol";
import type { Owner, Viewer } from "../../../../base/viewer.ts";

export type StoredResponse = {
  readonly owner: Owner;
  readonly response: ResponseObject;
  /** What it was told, without what came before; each item has its id. */
  readonly input: readonly ResponseStoredItem[];
};

/** What is not there, no longer, or another's, is `undefined` or `false`. */
export type ResponseStore = {
  put(stored: StoredResponse): Promise<void>;
  /**
   * Takes the place of the response with its id.
   *
   * @returns whether there was one
   */
  update(response: ResponseObject): Promise<boolean>;
  get(id: string, viewer: Viewer): Promise<StoredResponse | undefined>;
  /** An item that a kept response said or was told. */
  findItem(id: string, viewer: Viewer): Promise<ResponseStoredItem | undefined>;
  /** @returns whether there was one */
  delete(id: string, viewer: Viewer): Promise<boolean>;
};

export function isUnderWay({ status }: ResponseObject): boolean {
  return status === "queued" || status === "in_progress";
}

/** All that a response said or was told itself; what it only referred to is another's. */
export function itemsOf({
  input,
  response,
}: Pick<StoredResponse, "input" | "response">): readonly ResponseStoredItem[] {
  const items: readonly ResponseStoredItem[] = [...input, ...response.output];
  return items.filter(({ type }) => type !== "item_reference");
}
