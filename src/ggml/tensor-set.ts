/** Tensors that outlive a graph: weights, KV caches, pictures' keys and values. */
import { PlatformError } from "../base/errors.ts";
import { type Dtype, dtypeTraits } from "./dtype.ts";
import type { GgmlLibrary } from "./library.ts";
import { FileMapping } from "./mapping.ts";
import type { Pointer } from "./symbols.ts";
import { Tensor, type TensorMemory, type TensorOwner, tensorBytes, toExtents } from "./tensor.ts";

export type TensorSpec = { readonly dtype: Dtype; readonly shape: readonly number[] };

/** A tensor that lies in a file as it is: no conversion, no copy. */
export type MappedTensorSpec = TensorSpec & { readonly path: string; readonly offset: number };

type Data = Float32Array | Uint16Array | Uint8Array | Int32Array | BigInt64Array;

export class TensorSet implements Disposable, TensorOwner {
  readonly name = "tensor set";
  readonly sizeBytes: number;
  readonly #library: GgmlLibrary;
  readonly #context: Pointer;
  readonly #metadata: Buffer;
  readonly #buffers: readonly Pointer[];
  readonly #mappings: readonly FileMapping[];
  readonly #tensors: ReadonlyMap<string, Tensor>;
  #numHolders = 0;
  #isDisposed = false;

  private constructor(parts: {
    library: GgmlLibrary;
    memory: TensorMemory;
    context: Pointer;
    metadata: Buffer;
    specs: ReadonlyMap<string, TensorSpec>;
    place: (pointers: ReadonlyMap<string, Pointer>) => {
      buffers: Pointer[];
      mappings: FileMapping[];
      sizeBytes: number;
    };
  }) {
    const { base } = parts.library;
    this.#library = parts.library;
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
    bufferType: Pointer,
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
      memory,
      context,
      metadata,
      specs,
      place: () => {
        const buffer = base.ggml_backend_alloc_ctx_tensors_from_buft(context, bufferType);
        if (buffer === null) {
          throw new PlatformError(
            "out_of_memory",
            `${Math.ceil(wantedBytes / 1e6)} MB could not be allocated. Free memory, or launch with a smaller \`--max-model-len\`.`,
          );
        }
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
  return { mapping, buffer };
}
