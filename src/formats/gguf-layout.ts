/**
 * The head of a GGUF file that is to be written, and where its tensors go. Pure: the caller writes the
 * head, then each tensor at its place.
 *
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import {
  alignUp,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
  ggufDtypes,
  ggufValueTypes,
} from "./gguf-types.ts";
import { type FileDtype, numBytesOf } from "./tensor-entry.ts";

export type PlannedTensor = {
  readonly name: string;
  readonly dtype: FileDtype;
  /** Outermost axis first. */
  readonly shape: readonly number[];
};

export type PlacedTensor = PlannedTensor & { readonly offset: number; readonly sizeBytes: number };

export type GgufLayout = {
  /** Everything before the first tensor, padding included. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** Offsets from the beginning of the file; what lies between them is zeros. */
  readonly tensors: readonly PlacedTensor[];
  readonly fileBytes: number;
};

const VERSION = 3;

const numberOfDtype = new Map([...ggufDtypes].map(([number, dtype]) => [dtype, number]));

export function layOutGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly PlannedTensor[],
): GgufLayout {
  const head = new Writer();
  head.bytes(new TextEncoder().encode(GGUF_MAGIC));
  head.u32(VERSION);
  head.u64(tensors.length);
  head.u64(metadata.size);
  for (const [key, value] of metadata) {
    head.text(key);
    writeValue(head, value);
  }
  const places: { readonly offset: number; readonly sizeBytes: number }[] = [];
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    const number = numberOfDtype.get(dtype);
    if (number === undefined) throw new Error(`${name}: GGUF has no ${dtype}`);
    const offset = alignUp(end, DEFAULT_ALIGNMENT);
    const sizeBytes = Number(numBytesOf(dtype, shape));
    places.push({ offset, sizeBytes });
    end = offset + sizeBytes;
    head.text(name);
    head.u32(shape.length);
    for (const extent of shape.toReversed()) head.u64(extent);
    head.u32(number);
    head.u64(offset);
  }
  head.pad(DEFAULT_ALIGNMENT);
  const start = head.numBytes;
  return {
    head: head.toBytes(),
    tensors: tensors.map((tensor, index) => {
      const { offset = 0, sizeBytes = 0 } = places[index] ?? {};
      return { ...tensor, offset: start + offset, sizeBytes };
    }),
    fileBytes: start + end,
  };
}

function writeValue(head: Writer, value: GgufValue): void {
  head.u32(ggufValueTypes.indexOf(value.type));
  if (value.type !== "array") {
    head.scalar(value.type, value.value);
    return;
  }
  head.u32(ggufValueTypes.indexOf(value.of));
  head.u64(value.value.length);
  for (const entry of value.value) head.scalar(value.of, entry);
}

class Writer {
  readonly #encoder = new TextEncoder();
  #view = new DataView(new ArrayBuffer(1 << 16));
  #length = 0;

  get numBytes(): number {
    return this.#length;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#view.buffer.slice(0, this.#length) as ArrayBuffer);
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    new Uint8Array(this.#view.buffer, at, bytes.length).set(bytes);
  }

  pad(alignment: number): void {
    this.#grow(alignUp(this.#length, alignment) - this.#length);
  }

  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  text(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  scalar(type: GgufScalarType, value: GgufScalar): void {
    if (type === "string") this.text(String(value));
    else if (type === "u64") this.u64(Number(value));
    else if (type === "u32") this.u32(Number(value));
    else setters[type](this, Number(value));
  }

  /** For `setters` alone. */
  put(numBytes: number, set: (view: DataView, at: number) => void): void {
    const at = this.#grow(numBytes);
    set(this.#view, at);
  }

  /** @returns where the new bytes begin; they are zeros */
  #grow(numBytes: number): number {
    const at = this.#length;
    this.#length += numBytes;
    if (this.#length > this.#view.byteLength) {
      const larger = new Uint8Array(Math.max(this.#length, this.#view.byteLength * 2));
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

const setters: Readonly<
  Record<Exclude<GgufScalarType, "string" | "u32" | "u64">, (writer: Writer, value: number) => void>
> = {
  u8: (writer, value) => writer.put(1, (view, at) => view.setUint8(at, value)),
  i8: (writer, value) => writer.put(1, (view, at) => view.setInt8(at, value)),
  bool: (writer, value) => writer.put(1, (view, at) => view.setUint8(at, value)),
  u16: (writer, value) => writer.put(2, (view, at) => view.setUint16(at, value, true)),
  i16: (writer, value) => writer.put(2, (view, at) => view.setInt16(at, value, true)),
  i32: (writer, value) => writer.put(4, (view, at) => view.setInt32(at, value, true)),
  f32: (writer, value) => writer.put(4, (view, at) => view.setFloat32(at, value, true)),
  f64: (writer, value) => writer.put(8, (view, at) => view.setFloat64(at, value, true)),
  i64: (writer, value) => writer.put(8, (view, at) => view.setBigInt64(at, BigInt(value), true)),
};
