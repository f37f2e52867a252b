/** Checkpoint files, made or spoiled on purpose. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { goldenCheckpoint } from "./golden.ts";

/** A folder of its own, gone when the scope is left. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "atalaya-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A copy of a golden checkpoint, to spoil. */
export function copyOfCheckpoint(name: string): { readonly path: string } & Disposable {
  const folder = temporaryFolder();
  cpSync(goldenCheckpoint(name), folder.path, { recursive: true });
  return folder;
}

export type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;

export function editJson(path: string, edit: (json: Record<string, Json>) => void): void {
  const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, Json>;
  edit(json);
  writeFileSync(path, JSON.stringify(json));
}

/** As in the header of a safetensors file; nothing keeps it true. */
export type HeaderEntry = {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
};

/** Length, header and data, as given: it is the reader that has to notice. */
export function safetensorsBytes(
  header: string | Uint8Array | Record<string, unknown>,
  dataBytes: number | Uint8Array = 0,
  claimedHeaderBytes?: bigint,
): Buffer {
  const text =
    typeof header === "string" || header instanceof Uint8Array ? header : JSON.stringify(header);
  const headerBytes = Buffer.from(text);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(claimedHeaderBytes ?? BigInt(headerBytes.length));
  const data = typeof dataBytes === "number" ? Buffer.alloc(dataBytes) : dataBytes;
  return Buffer.concat([prefix, headerBytes, data]);
}

/** Change the table of a safetensors file; the data stay as they are. */
export function editSafetensors(
  path: string,
  edit: (header: Record<string, HeaderEntry>) => void,
): void {
  const bytes = readFileSync(path);
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, dataStart).toString()) as Record<string, HeaderEntry>;
  edit(header);
  writeFileSync(path, safetensorsBytes(header, bytes.subarray(dataStart)));
}

/** Make a file again from its tensors, after `edit` has added, removed, renamed or changed some. */
export function rewriteSafetensors(
  path: string,
  edit: (tensors: Map<string, StoredTensor>) => void,
): void {
  const bytes = readFileSync(path);
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, dataStart).toString()) as Record<string, HeaderEntry>;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = offsets as [number, number];
    const data = bytes.subarray(dataStart + begin, dataStart + end);
    tensors.set(name, { dtype: dtype as string, shape: shape as number[], data });
  }
  edit(tensors);
  writeFileSync(path, storedTensors(tensors));
}

export type StoredTensor = { dtype: string; shape: number[]; data: Uint8Array };

/** An honest file. */
export function storedTensors(tensors: ReadonlyMap<string, StoredTensor>): Buffer {
  let offset = 0;
  const header: Record<string, HeaderEntry> = {};
  for (const [name, { dtype, shape, data }] of tensors) {
    const end = offset + data.length;
    // `header[name] =` would not keep a tensor called __proto__.
    Object.defineProperty(header, name, {
      value: { dtype, shape, data_offsets: [offset, end] },
      enumerable: true,
    });
    offset = end;
  }
  return safetensorsBytes(header, Buffer.concat([...tensors.values()].map(({ data }) => data)));
}

/** bfloat16 is the upper half of float32. */
export function widened(data: Uint8Array): Uint8Array {
  const wide = new Uint8Array(data.length * 2);
  for (let i = 0; i < data.length; i += 2) wide.set(data.subarray(i, i + 2), i * 2 + 2);
  return wide;
}
