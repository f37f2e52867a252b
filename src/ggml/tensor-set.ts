/** Tensors that outlive a graph: weights, KV caches, pictures' keys and values. */
import { PlatformError } from "../base/errors.ts";
import { CPU } from "./device.ts";
import { type Dtype, dtypeTraits } from "./dtype.ts";
import { FRESH_BYTES, FreshMemory } from "./fresh-memory.ts";
import type { GgmlLibrary } from "./library.ts";
import { FileMapping } from "./mapping.ts";
import type { Pointer } from "./symbols.ts";
import { Tensor, type TensorMemory, type TensorOwner, tensorBytes, toExtents } from "./tensor.ts";

export type TensorSpec = { readonly dtype: Dtype; readonly shape: readonly number[] };

/** A tensor that lies in a file as it is: no conversion, no copy. */
export type MappedTensorSpec = TensorSpec & { readonly path: string; readonly offset: number };

/** Where a set lies: a buffer type, and the device that it belongs to. */
export type TensorPlace = {
  readonly bufferType: Pointer;
  /** `Device.id` */
  readonly device: string;
  /** Weights are what graphs follow: an operator runs where its weights are. */
  readonly isForWeights?: boolean;
};

/** `GGML_BACKEND_BUFFER_USAGE_WEIGHTS` */
const USAGE_WEIGHTS = 1;
/** What goes to a device at once. */
const UPLOAD_BYTES = 16 * 1024 * 1024;

type Data = Float32Array | Uint16Array | Uint8Array | Int32Array | BigInt64Array;

export class TensorSet implements Disposable, TensorOwner {
  readonly name = "tensor set";
  readonly sizeBytes: number;
  /** `Device.id` of the device whose memory this is. */
  readonly device: string;
  readonly #library: GgmlLibrary;
  readonly #context: Pointer;
  readonly #metadata: Buffer;
  readonly #buffers: readonly Pointer[];
  readonly #mappings: readonly Disposable[];
  readonly #tensors: ReadonlyMap<string, Tensor>;
  #numHolders = 0;
  #isDisposed = false;

  private constructor(parts: {
    library: GgmlLibrary;
    device: string;
    memory: TensorMemory;
    context: Pointer;
    metadata: Buffer;
    specs: ReadonlyMap<string, TensorSpec>;
    place: (pointers: ReadonlyMap<string, Pointer>) => {
      buffers: Pointer[];
      mappings: Disposable[];
      sizeBytes: number;
    };
  }) {
    const { base } = parts.library;
    this.#library = parts.library;
    this.device = parts.device;
    this.#context = parts.context;
    this.#metadata = parts.metadata;
    const pointers = new Map<string, Pointer>();
    const tensors = new Map<string, Tensor>();
    for (const [name, { dtype, shape }] of parts.specs) {
      const pointer = newTensor(base, parts.context, dtype, shape);
      pointers.set(name, pointer);
      const { memory } = parts;
      tensors.set(name, new Tensor(this, pointer, dtype, shape, { memory }));
    }
    this.#tensors = tensors;
    try {
      const placed = parts.place(pointers);
      this.#buffers = placed.buffers;
      this.#mappings = placed.mappings;
      this.sizeBytes = placed.sizeBytes;
    } catch (error) {
      base.ggml_free(parts.context);
      throw error;
    }
  }

  /** Fresh memory of one buffer type, zeroed. @throws PlatformError `out_of_memory` */
  static allocate(
    library: GgmlLibrary,
    { bufferType, device, isForWeights = false }: TensorPlace,
    specs: ReadonlyMap<string, TensorSpec>,
    memory: TensorMemory = "plain",
  ): TensorSet {
    const { base } = library;
    const { context, metadata } = newContext(library, specs.size);
    const wantedBytes = [...specs.values()].reduce(
      (sum, { dtype, shape }) => sum + tensorBytes(dtype, shape),
      0,
    );
    return new TensorSet({
      library,
      device,
      memory,
      context,
      metadata,
      specs,
      place: (pointers) => {
        const isLarge = wantedBytes >= FRESH_BYTES;
        if (device === CPU && memory === "plain" && !isForWeights && isLarge) {
          const placed = placeInFreshMemory(library, pointers, specs);
          if (placed !== undefined) return placed;
        }
        const buffer = base.ggml_backend_alloc_ctx_tensors_from_buft(context, bufferType);
        if (buffer === null) {
          throw new PlatformError(
            "out_of_memory",
            `${Math.ceil(wantedBytes / 1e6)} MB could not be allocated${device === CPU ? "" : ` on ${device}`}. ${remedyFor(device)}`,
          );
        }
        if (isForWeights) base.ggml_backend_buffer_set_usage(buffer, USAGE_WEIGHTS);
        base.ggml_backend_buffer_clear(buffer, 0);
        const sizeBytes = Number(base.ggml_backend_buffer_get_size(buffer));
        return { buffers: [buffer], mappings: [], sizeBytes };
      },
    });
  }

  /** Tensors where they lie in their files. */
  static map(library: GgmlLibrary, specs: ReadonlyMap<string, MappedTensorSpec>): TensorSet {
    const { base } = library;
    const { context, metadata } = newContext(library, specs.size);
    return new TensorSet({
      library,
      device: CPU,
      memory: "read only",
      context,
      metadata,
      specs,
      place: (pointers) => {
        const files = new Map<string, { mapping: FileMapping; buffer: Pointer }>();
        try {
          return placeInFiles(pointers, files);
        } catch (error) {
          for (const { mapping, buffer } of files.values()) {
            base.ggml_backend_buffer_free(buffer);
            mapping[Symbol.dispose]();
          }
          throw error;
        }
      },
    });

    function placeInFiles(
      pointers: ReadonlyMap<string, Pointer>,
      files: Map<string, { mapping: FileMapping; buffer: Pointer }>,
    ) {
      let sizeBytes = 0;
      for (const [name, { path, offset, dtype, shape }] of specs) {
        const file = files.get(path) ?? openFile(library, path);
        files.set(path, file);
        const numBytes = tensorBytes(dtype, shape);
        if (offset < 0 || offset + numBytes > file.mapping.sizeBytes) {
          throw new Error(`${name} lies outside of its file`);
        }
        const address = file.mapping.address + BigInt(offset);
        base.ggml_backend_tensor_alloc(file.buffer, pointers.get(name), address);
        sizeBytes += numBytes;
      }
      const opened = [...files.values()];
      return {
        buffers: opened.map(({ buffer }) => buffer),
        mappings: opened.map(({ mapping }) => mapping),
        sizeBytes,
      };
    }
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`the tensor set has no ${name}`);
    return tensor;
  }

  /**
   * Overwrite a whole tensor, or `data` from byte `offsetBytes` on. Never for a mapped one; a
   * repacked one only as a whole.
   */
  write(tensor: Tensor, data: Data, offsetBytes = 0): void {
    if (tensor.memory === "read only") throw new Error("a mapped tensor is read only");
    if (Tensor.ownerOf(tensor) !== this) throw new Error(`${tensor} is not of this set`);
    const numBytes = tensorBytes(tensor.dtype, tensor.shape);
    const fits =
      tensor.memory === "repacked"
        ? offsetBytes === 0 && data.byteLength === numBytes
        : Number.isInteger(offsetBytes) &&
          offsetBytes >= 0 &&
          offsetBytes + data.byteLength <= numBytes;
    if (!fits) throw new Error(`${data.byteLength} bytes at ${offsetBytes} do not fit ${tensor}`);
    const { base } = this.#library;
    base.ggml_backend_tensor_set(Tensor.pointerOf(tensor), data, offsetBytes, data.byteLength);
  }

  /**
   * Fill all tensors from files: the set was made for these specs, and holds each as the file does.
   *
   * @param onBytes called with the number of bytes that are there
   */
  async fill(
    specs: ReadonlyMap<string, MappedTensorSpec>,
    onBytes: (numBytes: number) => void = () => {},
  ): Promise<void> {
    let numDone = 0;
    for (const path of new Set([...specs.values()].map((spec) => spec.path))) {
      using mapping = FileMapping.open(this.#library, path);
      for (const [name, { path: lies, offset, dtype, shape }] of specs) {
        if (lies !== path) continue;
        const tensor = this.get(name);
        const numBytes = tensorBytes(dtype, shape);
        if (tensorBytes(tensor.dtype, tensor.shape) !== numBytes || tensor.dtype !== dtype) {
          throw new Error(`${tensor} is not what the file has of ${name}`);
        }
        if (offset < 0 || offset + numBytes > mapping.sizeBytes) {
          throw new Error(`${name} lies outside of its file`);
        }
        for (let start = 0; start < numBytes; start += UPLOAD_BYTES) {
          const length = Math.min(UPLOAD_BYTES, numBytes - start);
          const from = mapping.address + BigInt(offset + start);
          await this.#upload(Tensor.pointerOf(tensor), { from, start, length });
          numDone += length;
          onBytes(numDone);
        }
      }
    }
  }

  /** Off the event loop: a device's driver may wait, and so may the disk. */
  #upload(
    tensor: Pointer,
    { from, start, length }: { from: Pointer; start: number; length: number },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#library.base.ggml_backend_tensor_set.async(
        tensor,
        from,
        start,
        length,
        (error: unknown) => (error ? reject(error) : resolve()),
      );
    });
  }

  /** Keep the memory until `letGo`, even when the set is disposed: a graph reads it. For `src/ggml` only. */
  hold(): void {
    this.#numHolders++;
  }

  letGo(): void {
    this.#numHolders--;
    if (this.#isDisposed && this.#numHolders === 0) this.#free();
  }

  /** Tensors cannot be used from now on; the memory goes with the last graph that reads it. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#numHolders === 0) this.#free();
  }

  #free(): void {
    for (const buffer of this.#buffers) this.#library.base.ggml_backend_buffer_free(buffer);
    this.#library.base.ggml_free(this.#context);
    for (const mapping of this.#mappings) mapping[Symbol.dispose]();
    this.#metadata.fill(0);
  }
}

/** What vector instructions of every processor want, bytes. */
const ALIGNMENT = 64;

/** @returns `undefined` where there is no memory of this kind */
function placeInFreshMemory(
  library: GgmlLibrary,
  pointers: ReadonlyMap<string, Pointer>,
  specs: ReadonlyMap<string, TensorSpec>,
): { buffers: Pointer[]; mappings: Disposable[]; sizeBytes: number } | undefined {
  const offsets = new Map<string, number>();
  let sizeBytes = 0;
  for (const [name, { dtype, shape }] of specs) {
    offsets.set(name, sizeBytes);
    sizeBytes += Math.ceil(tensorBytes(dtype, shape) / ALIGNMENT) * ALIGNMENT;
  }
  const memory = FreshMemory.open(library, sizeBytes);
  if (memory === undefined) return undefined;
  const { base } = library;
  const buffer = base.ggml_backend_cpu_buffer_from_ptr(memory.address, sizeBytes);
  if (buffer === null) {
    memory[Symbol.dispose]();
    return undefined;
  }
  for (const [name, offset] of offsets) {
    const address = memory.address + BigInt(offset);
    base.ggml_backend_tensor_alloc(buffer, pointers.get(name), address);
  }
  return { buffers: [buffer], mappings: [memory], sizeBytes };
}

function remedyFor(device: string): string {
  return device === CPU
    ? "Free memory, or launch with a smaller `--max-model-len`."
    : "Launch with a smaller `--max-model-len` or fewer `--gpu-layers`, or free its memory.";
}

function newContext(
  { base }: GgmlLibrary,
  numTensors: number,
): { context: Pointer; metadata: Buffer } {
  const metadata = Buffer.alloc(Number(base.ggml_tensor_overhead()) * (numTensors + 1));
  const context = base.ggml_init({
    mem_size: metadata.length,
    mem_buffer: metadata,
    no_alloc: true,
  });
  return { context, metadata };
}

/** Make a tensor's header in a context, without memory for its elements. */
export function newTensor(
  base: GgmlLibrary["base"],
  context: Pointer,
  dtype: Dtype,
  shape: readonly number[],
): Pointer {
  return base.ggml_new_tensor_4d(context, dtypeTraits[dtype].ggmlType, ...toExtents(shape));
}

function openFile(library: GgmlLibrary, path: string): { mapping: FileMapping; buffer: Pointer } {
  const mapping = FileMapping.open(library, path);
  const buffer = library.base.ggml_backend_cpu_buffer_from_ptr(mapping.address, mapping.sizeBytes);
  if (buffer === null) {
    mapping[Symbol.dispose]();
    throw new Error("ggml refused the mapped file");
  }
  library.base.ggml_backend_buffer_set_usage(buffer, USAGE_WEIGHTS);
  return { mapping, buffer };
}
