/** A device that computes graphs. One per worker; its graphs run one after another. */
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
  /** Ends when the computations that were asked for so far have ended. */
  #lastRun: Promise<unknown> = Promise.resolve();
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
   * @param options.numThreads threads of a computation; all cores when absent, and never more than
   *   there are, because ggml's threads wait for each other by spinning
   * @throws PlatformError `engine_unavailable`
   */
  static openCpu(options: { readonly numThreads?: number | undefined } = {}): Backend {
    const numCores = availableParallelism();
    const { numThreads = numCores } = options;
    if (!Number.isInteger(numThreads) || numThreads < 1) {
      throw new Error(`${numThreads} is no number of threads: it is a positive integer`);
    }
    const library = loadGgml();
    const index = listDevices().findIndex(({ type }) => type === "cpu");
    if (index < 0) {
      throw new PlatformError(
        "engine_unavailable",
        "ggml found no CPU back end that this processor can run.",
      );
    }
    return new Backend(library, index, Math.min(numThreads, numCores));
  }

  /**
   * Begin a graph. Graphs of one `kind` reuse the same memory, so a kind should mean a size.
   *
   * @param options.maxNodes operators and inputs at most; the graph throws at the next one
   * @param options.isPausable whether it may be computed in parts
   */
  newGraph(options: {
    readonly kind: string;
    readonly maxNodes: number;
    readonly isPausable?: boolean;
  }): Graph {
    if (this.#isDisposed) throw new Error("the back end was disposed");
    const { kind, maxNodes, isPausable = false } = options;
    if (!Number.isInteger(maxNodes) || maxNodes < 1) {
      throw new Error(`a graph of ${maxNodes} nodes cannot be: maxNodes is a positive integer`);
    }
    const idle = this.#idleArenas.get(kind) ?? [];
    this.#idleArenas.set(kind, idle);
    const arena = this.#takeArena(idle, maxNodes);
    this.#numGraphs++;
    return new Graph({
      library: this.library,
      arena,
      maxNodes,
      isPausable,
      run: (graph) => this.#run(graph),
      release: (canReuse) => {
        this.#numGraphs--;
        if (canReuse) idle.push(arena);
        else this.library.base.ggml_gallocr_free(arena.allocator);
      },
    });
  }

  /** Compute after all that was asked for before: ggml's back end has one work buffer for all its graphs. */
  #run(graph: Pointer): Promise<{ readonly status: number; readonly computeMs: number }> {
    const compute = async () => {
      const start = performance.now();
      const status = await new Promise<number>((resolve, reject) => {
        this.library.base.ggml_backend_graph_compute.async(
          this.#backend,
          graph,
          (error: unknown, result: number) => (error ? reject(error) : resolve(result)),
        );
      });
      return { status, computeMs: performance.now() - start };
    };
    const result = this.#lastRun.then(compute, compute);
    this.#lastRun = result;
    return result;
  }

  /** Memory for tensors that outlive a graph, zeroed. @throws PlatformError `out_of_memory` */
  allocate(specs: ReadonlyMap<string, TensorSpec>): TensorSet {
    return TensorSet.allocate(this.library, this.#defaultBufferType, specs);
  }

  /**
   * Memory for `q4_0` matrices `[numRows, width]`, `numRows` a multiple of 8, in the layout that this
   * processor multiplies fastest; `allocate` where there is none. Tensors in it can only be the
   * weight of `matmul`.
   */
  allocateRepacked(specs: ReadonlyMap<string, TensorSpec>): TensorSet {
    for (const [name, { dtype, shape }] of specs) {
      if (dtype === "q4_0" && shape.length === 2 && (shape[0] ?? 0) % 8 === 0) continue;
      throw new Error(`${name}, ${dtype}[${shape.join(", ")}], cannot be repacked`);
    }
    if (this.#repackBufferType === undefined) return this.allocate(specs);
    return TensorSet.allocate(this.library, this.#repackBufferType, specs, "repacked");
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
