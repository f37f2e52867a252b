/** What the platform and its decoding processes agree on: limits, and the header of a reply. */

/** Pixels of one picture, at most. */
export const maxPixels = 50_000_000;

/** Resident memory of one decoding process, at most. */
export const maxResidentBytes = 512 * 1024 * 1024;

export const exitCodes = { outOfMemory: 77 } as const;

/** A file's length, uint32, little endian, comes before its bytes. */
export const lengthHeaderBytes = 4;

/** Three uint32, little endian: status, width, height. */
export const replyHeaderBytes = 12;

export type ReplyStatus = "ready" | "decoded" | "damaged";

const statuses: readonly ReplyStatus[] = ["ready", "decoded", "damaged"];

export function replyHeader(
  status: ReplyStatus,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const header = new DataView(new ArrayBuffer(replyHeaderBytes));
  header.setUint32(0, statuses.indexOf(status), true);
  header.setUint32(4, size.width, true);
  header.setUint32(8, size.height, true);
  return new Uint8Array(header.buffer);
}

/** @throws Error when the bytes are no reply header: the process writes something else */
export function parseReplyHeader(header: Uint8Array): {
  readonly status: ReplyStatus;
  readonly width: number;
  readonly height: number;
} {
  const view = new DataView(header.buffer, header.byteOffset, replyHeaderBytes);
  const status = statuses[view.getUint32(0, true)];
  if (status === undefined) throw new Error("the decoding process spoke out of turn");
  return { status, width: view.getUint32(4, true), height: view.getUint32(8, true) };
}
