/** A device that computes graphs. One per worker; its graphs run one at a time. */
import { availableParallelism } from "node:os";
import koffi from "koffi";
import { PlatformError } from "../base/errors.ts";
import { Graph, type GraphArena } from "./graph.ts";
import { type GgmlLibrary, loadGgml } from "./library.ts";
import { type Pointer, procTypes } from "./symbols.ts";
import { type MappedTensorSpec, TensorSet, type TensorSpec } from "./tensor-set.ts";

export type Device = {
  readonly name: string;
  readonly description: string;
  readonly type: "cpu" | "gpu" | "other";
};

const deviceTypes = { 0: "cpu", 1: "gpu", 2: "gpu" } as const;

/** Devices that the loaded ggml can use. @throws PlatformError `engine_unavailable` */
function listDevices(): Device[] {
  const { base, registry } = loadGgml();
  return Array.from({ length: Number(registry.ggml_backend_dev_count()) }, (_, index) => {
    const device = registry.ggml_backend_dev_get(index);
    const type = Number(base.ggml_backend_dev_type(device));
    return {
      name: String(base.ggml_backend_dev_name(device)),
      description: String(base.ggml_backend_dev_description(device)),
      type: type in deviceTypes ? deviceTypes[type as keyof typeof deviceTypes] : "other",
    };
  });
}

export class Backend implements Disposable {
  readonly library: GgmlLibrary;
  readonly device: Device;
  readonly numThreads: number;
  readonly #backend: Pointer;
  readonly #defaultBufferType: Pointer;
  readonly #repackBufferType: Pointer | undefined;
  /** Arenas by kind of graph: a kind's buffers grow to its largest graph and stay. */
  readonly #idleArenas = new Map<string, GraphArena[]>();
  #numGraphs = 0;
  #isDisposed = false;

  private constructor(library: GgmlLibrary, deviceIndex: number, numThreads: number) {
    const { base, registry } = library;
    const device = listDevices()[deviceIndex];
    if (device === undefined) throw new Error(`there is no device ${deviceIndex}`);
    const handle = registry.ggml_backend_dev_get(deviceIndex);
    this.library = library;
    this.device = device;
    this.numThreads = numThreads;
    this.#backend = base.ggml_backend_dev_init(handle, null);
    if (this.#backend === null) {
      throw new PlatformError(
        "engine_unavailable",
        `The device ${device.name} could not be opened.`,
      );
    }
    this.#defaultBufferType = base.ggml_backend_get_default_buffer_type(this.#backend);
    const registration = base.ggml_backend_dev_backend_reg(handle);
    const setThreads = base.ggml_backend_reg_get_proc_address(
      registration,
      "ggml_backend_set_n_threads",
    );
    if (setThreads !== null) {
      koffi.call(setThreads, procTypes.ggml_backend_set_n_threads, this.#backend, numThreads);
    }
    this.#repackBufferType = findRepackBufferType(library, registration, handle);
  }

  /**
   * Open the CPU.
   *
   * @param options.numThreads threads of a computation; all cores when absent
   * @throws PlatformError `engine_unavailable`
   */
  static openCpu(options: { readonly numThreads?: number | undefined } = {}): Backend {
    const library = loadGgml();
    const index = listDevices().findIndex(({ type }) => type === "cpu");
    if (index < 0) {
      throw new PlatformError(
        "engine_unavailable",
        "ggml found no CPU back end that this processor can run.",
      );
    }
    return new Backend(library, index, options.numThreads ?? availableParallelism());
  }

  /**
   * Begin a graph. Graphs of one `kind` reuse the same memory, so a kind should mean a size.
   *
   * @param options.maxNodes operators and inputs at most
   */
  newGraph(options: { readonly kind: string; readonly maxNodes: number }): Graph {
    if (this.#isDisposed) throw new Error("the back end was disposed");
    const { kind, maxNodes } = options;
    const idle = this.#idleArenas.get(kind) ?? [];
    this.#idleArenas.set(kind, idle);
    const arena = this.#takeArena(idle, maxNodes);
    this.#numGraphs++;
    return new Graph(this.library, this.#backend, arena, () => {
      this.#numGraphs--;
      idle.push(arena);
    });
  }

  /** Memory for tensors that outlive a graph, zeroed. @throws PlatformError `out_of_memory` */
  allocate(specs: ReadonlyMap<string, TensorSpec>): TensorSet {
    return TensorSet.allocate(this.library, this.#defaultBufferType, specs);
  }

  /**
   * Memory for quantized weights in the layout that this processor multiplies fastest; `allocate`
   * where there is none. Tensors in it can only be the weight of `matmul`.
   */
  allocateRepacked(specs: ReadonlyMap<string, TensorSpec>): TensorSet {
    const bufferType = this.#repackBufferType ?? this.#defaultBufferType;
    return TensorSet.allocate(this.library, bufferType, specs);
  }

  /** Tensors where they lie in files, without a copy. */
  map(specs: ReadonlyMap<string, MappedTensorSpec>): TensorSet {
    return TensorSet.map(this.library, specs);
  }

  /** Buffers that graphs have left behind for the next of their kind, by kind. */
  graphBytes(): ReadonlyMap<string, number> {
    const { base } = this.library;
    return new Map(
      [...this.#idleArenas].map(([kind, arenas]) => [
        kind,
        arenas.reduce(
          (sum, { allocator }) => sum + Number(base.ggml_gallocr_get_buffer_size(allocator, 0)),
          0,
        ),
      ]),
    );
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    if (this.#numGraphs > 0) throw new Error(`${this.#numGraphs} graphs are still in use`);
    this.#isDisposed = true;
    for (const arenas of this.#idleArenas.values()) {
      for (const { allocator } of arenas) this.library.base.ggml_gallocr_free(allocator);
    }
    this.library.base.ggml_backend_free(this.#backend);
  }

  #takeArena(idle: GraphArena[], maxNodes: number): GraphArena {
    const { base } = this.library;
    const index = idle.findIndex((arena) => arena.maxNodes >= maxNodes);
    const [found] = index < 0 ? [] : idle.splice(index, 1);
    if (found !== undefined) return found;
    for (const { allocator } of idle.splice(0)) base.ggml_gallocr_free(allocator);
    const headerBytes = Number(base.ggml_tensor_overhead()) * (maxNodes + 16);
    const graphBytes = Number(base.ggml_graph_overhead_custom(maxNodes, false));
    return {
      metadata: Buffer.alloc(headerBytes + graphBytes),
      allocator: base.ggml_gallocr_new(this.#defaultBufferType),
      maxNodes,
    };
  }
}

function findRepackBufferType(
  { base }: GgmlLibrary,
  registration: Pointer,
  device: Pointer,
): Pointer | undefined {
  const getExtra = base.ggml_backend_reg_get_proc_address(
    registration,
    "ggml_backend_dev_get_extra_bufts",
  );
  if (getExtra === null) return undefined;
  const list = koffi.call(getExtra, procTypes.ggml_backend_dev_get_extra_bufts, device);
  if (list === null) return undefined;
  for (let index = 0; index < 8; index++) {
    const bufferType = koffi.decode(list, index * 8, "void*");
    if (bufferType === null) return undefined;
    if (/REPACK/.test(String(base.ggml_backend_buft_name(bufferType)))) return bufferType;
  }
  return undefined;
}
