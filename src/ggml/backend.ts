/** What computes graphs: the processor, and the cards that were opened with it. */
import { availableParallelism } from "node:os";
import koffi from "koffi";
import { PlatformError } from "../base/errors.ts";
import { CPU, type FoundDevice, findDevices } from "./device.ts";
import { type ComputePlan, Graph, type GraphArena, type GraphPlaces } from "./graph.ts";
import { findKernels, type Instructions, type Kernels } from "./kernels.ts";
import { type GgmlLibrary, loadGgml } from "./library.ts";
import { type Pointer, procTypes } from "./symbols.ts";
import { type MappedTensorSpec, TensorSet, type TensorSpec } from "./tensor-set.ts";

type NativeFunction = GgmlLibrary["base"][keyof GgmlLibrary["base"]];

/** An opened device. */
type OpenDevice = {
  readonly id: string;
  readonly handle: Pointer;
  readonly backend: Pointer;
  readonly bufferType: Pointer;
  readonly isSoftware: boolean;
};

/** Memory for graphs of one kind, as they come to need it; see `Backend.#planOf`. */
class Arena implements GraphArena {
  readonly metadata: Buffer;
  readonly maxNodes: number;
  /** By device, for graphs that run on one alone. */
  readonly allocators = new Map<string, Pointer>();
  /** For graphs that run on several. */
  scheduler: Pointer | undefined;
  /** Of this arena alone, by device; see `Backend.#contextOf`. */
  readonly contexts = new Map<string, Pointer>();

  constructor(metadata: Buffer, maxNodes: number) {
    this.metadata = metadata;
    this.maxNodes = maxNodes;
  }
}

export type BackendOptions = {
  readonly numThreads?: number | undefined;
  /** `Device.id`s of cards, of back ends that are loaded; the processor is always there. */
  readonly devices?: readonly string[];
  /** Whether our own operators are used where this processor has them; absent: they are, unless a card computes too. */
  readonly usesKernels?: boolean | undefined;
  /** Our operators for these instructions, not the best that the processor has; for tests and measurements. */
  readonly instructions?: Instructions | undefined;
};

/** The processor and any number of cards; one `Backend` a worker, whose graphs run one after another. */
export class Backend implements Disposable {
  readonly library: GgmlLibrary;
  readonly numThreads: number;
  /** The processor last, as ggml's scheduler wants it. */
  readonly #devices: readonly OpenDevice[];
  readonly #kernels: Kernels | undefined;
  readonly #repackBufferType: Pointer | undefined;
  /** Arenas by kind of graph: a kind's buffers grow to its largest graph and stay. */
  readonly #idleArenas = new Map<string, Arena[]>();
  #numGraphs = 0;
  /** Ends when the computations that were asked for so far have ended. */
  #lastRun: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  private constructor(
    library: GgmlLibrary,
    found: readonly FoundDevice[],
    { numThreads, kernels }: { readonly numThreads: number; readonly kernels: Kernels | undefined },
  ) {
    const { base } = library;
    this.library = library;
    this.numThreads = numThreads;
    this.#kernels = kernels;
    const opened: OpenDevice[] = [];
    try {
      for (const each of found) opened.push(openDevice(library, each));
    } catch (error) {
      for (const { backend } of opened) base.ggml_backend_free(backend);
      throw error;
    }
    this.#devices = opened;
    const cpu = this.#device(CPU);
    const registration = base.ggml_backend_dev_backend_reg(cpu.handle);
    const setThreads = base.ggml_backend_reg_get_proc_address(
      registration,
      "ggml_backend_set_n_threads",
    );
    if (setThreads !== null) {
      koffi.call(setThreads, procTypes.ggml_backend_set_n_threads, cpu.backend, numThreads);
    }
    this.#repackBufferType = findRepackBufferType(library, registration, cpu.handle);
  }

  /** Open the processor alone. @throws PlatformError `engine_unavailable` */
  static openCpu(options: Omit<BackendOptions, "devices"> = {}): Backend {
    return Backend.open(options);
  }

  /**
   * Open the processor and the cards that are named.
   *
   * @param options.numThreads threads of a computation on the processor; all cores when absent, and
   *   never more than there are, because ggml's threads wait for each other by spinning
   * @throws PlatformError `engine_unavailable`
   */
  static open(options: BackendOptions): Backend {
    const numCores = availableParallelism();
    const { numThreads = numCores, devices: wanted = [], usesKernels = true } = options;
    if (!Number.isInteger(numThreads) || numThreads < 1) {
      throw new Error(`${numThreads} is no number of threads: it is a positive integer`);
    }
    const library = loadGgml();
    const there = findDevices(library);
    const cpu = there.find(({ device }) => device.kind === "cpu");
    if (cpu === undefined) {
      throw new PlatformError(
        "engine_unavailable",
        "ggml found no CPU back end that this processor can run.",
      );
    }
    const cards = wanted.map((id) => {
      const found = there.find(({ device }) => device.id === id);
      if (found !== undefined) return found;
      const ids = there.map(({ device }) => device.id).join(", ");
      throw new PlatformError("engine_unavailable", `There is no device ${id}; there are ${ids}.`);
    });
    // ggml's scheduler would copy a card's tensors to the processor for them.
    const hasKernels = usesKernels && cards.length === 0;
    return new Backend(library, [...cards, cpu], {
      numThreads: Math.min(numThreads, numCores),
      kernels: hasKernels ? findKernels(library, options.instructions).kernels : undefined,
    });
  }

  /** Which operators of our own compute on the processor; `undefined`: ggml's alone. */
  get kernelsHash(): string | undefined {
    return this.#kernels?.hash;
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
      kernels: this.#kernels,
      plan: (graph, places) => this.#planOf(arena, graph, places),
      release: (canReuse) => {
        this.#numGraphs--;
        if (canReuse && arena.contexts.size === 0) idle.push(arena);
        else this.#freeArena(arena);
      },
    });
  }

  /**
   * How a graph is computed: on one device if all it reads lies there and that device has all its
   * operators, else by ggml's scheduler, which runs an operator where its weights are, and on the
   * processor what a card does not have.
   */
  #planOf(arena: Arena, graph: Pointer, { used, pinned }: GraphPlaces): ComputePlan {
    const only = this.#onlyDevice(graph, used);
    const { base } = this.library;
    if (only !== undefined) {
      return {
        allocate: () => base.ggml_gallocr_alloc_graph(this.#allocatorOf(arena, only), graph),
        run: (part) =>
          this.#run(base.ggml_backend_graph_compute, this.#contextOf(arena, only), part),
        canBeParted: true,
      };
    }
    const scheduler = this.#schedulerOf(arena);
    return {
      allocate: () => {
        base.ggml_backend_sched_reset(scheduler);
        for (const [node, device] of pinned) {
          const context = this.#contextOf(arena, this.#device(device));
          base.ggml_backend_sched_set_tensor_backend(scheduler, node, context);
        }
        return base.ggml_backend_sched_alloc_graph(scheduler, graph);
      },
      run: (whole) => this.#run(base.ggml_backend_sched_graph_compute, scheduler, whole),
      canBeParted: false,
    };
  }

  #onlyDevice(graph: Pointer, used: ReadonlySet<string>): OpenDevice | undefined {
    if (used.size > 1) return undefined;
    const [id = CPU] = used;
    const device = this.#device(id);
    if (id === CPU) return device;
    const { base } = this.library;
    const numNodes = Number(base.ggml_graph_n_nodes(graph));
    for (let index = 0; index < numNodes; index++) {
      const node = base.ggml_graph_node(graph, index);
      if (!base.ggml_backend_dev_supports_op(device.handle, node)) return undefined;
    }
    return device;
  }

  #device(id: string): OpenDevice {
    const device = this.#devices.find((each) => each.id === id);
    if (device === undefined) throw new Error(`the device ${id} is not open`);
    return device;
  }

  /**
   * A device computes in one context, but for a driver that is software: it has one for each graph. ggml's
   * descriptor sets keep the buffers of earlier graphs in bindings that nothing reads any more, and Mesa's
   * lavapipe (22.3) takes hold of them all the same, also when they are gone.
   */
  #contextOf(arena: Arena, { id, handle, backend, isSoftware }: OpenDevice): Pointer {
    if (!isSoftware) return backend;
    const found = arena.contexts.get(id);
    if (found !== undefined) return found;
    const context: Pointer = this.library.base.ggml_backend_dev_init(handle, null);
    if (context === null) throw new Error(`the device ${id} could not be opened again`);
    arena.contexts.set(id, context);
    return context;
  }

  #allocatorOf(arena: Arena, { id, bufferType }: OpenDevice): Pointer {
    const found = arena.allocators.get(id);
    if (found !== undefined) return found;
    const allocator = this.library.base.ggml_gallocr_new(bufferType);
    arena.allocators.set(id, allocator);
    return allocator;
  }

  #schedulerOf(arena: Arena): Pointer {
    if (arena.scheduler !== undefined) return arena.scheduler;
    const scheduler: Pointer = this.library.base.ggml_backend_sched_new(
      this.#devices.map((device) => this.#contextOf(arena, device)),
      null,
      this.#devices.length,
      // It counts leaves too, of which a graph has as many as nodes.
      2 * arena.maxNodes,
      false,
      false,
    );
    arena.scheduler = scheduler;
    return scheduler;
  }

  /** Compute after all that was asked for before: ggml's back end has one work buffer for all its graphs. */
  #run(
    compute: NativeFunction,
    target: Pointer,
    graph: Pointer,
  ): Promise<{ readonly status: number; readonly computeMs: number }> {
    const timed = async () => {
      const start = performance.now();
      const status = await new Promise<number>((resolve, reject) => {
        compute.async(target, graph, (error: unknown, result: number) =>
          error ? reject(error) : resolve(result),
        );
      });
      return { status, computeMs: performance.now() - start };
    };
    const result = this.#lastRun.then(timed, timed);
    this.#lastRun = result;
    return result;
  }

  /**
   * Memory for tensors that outlive a graph, zeroed.
   *
   * @param place.device `Device.id` of one that is open; the processor when absent
   * @throws PlatformError `out_of_memory`
   */
  allocate(
    specs: ReadonlyMap<string, TensorSpec>,
    {
      device = CPU,
      isForWeights = false,
    }: { readonly device?: string; readonly isForWeights?: boolean } = {},
  ): TensorSet {
    const { bufferType } = this.#device(device);
    return TensorSet.allocate(this.library, { bufferType, device, isForWeights }, specs);
  }

  /**
   * Tensors of files in a device's own memory; no more of the host's is taken than the pages of the files.
   *
   * @throws PlatformError `out_of_memory`
   */
  async upload(
    specs: ReadonlyMap<string, MappedTensorSpec>,
    device: string,
    onBytes: (numBytes: number) => void = () => {},
  ): Promise<TensorSet> {
    const set = this.allocate(specs, { device, isForWeights: true });
    try {
      await set.fill(specs, onBytes);
      return set;
    } catch (error) {
      set[Symbol.dispose]();
      throw error;
    }
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
    const place = { bufferType: this.#repackBufferType, device: CPU, isForWeights: true };
    return TensorSet.allocate(this.library, place, specs, "repacked");
  }

  /** Tensors where they lie in files, without a copy. */
  map(specs: ReadonlyMap<string, MappedTensorSpec>): TensorSet {
    return TensorSet.map(this.library, specs);
  }

  /** Buffers that graphs have left behind for the next of their kind, by kind; those of all devices. */
  graphBytes(): ReadonlyMap<string, number> {
    const { base } = this.library;
    const bytesOf = ({ allocators, scheduler }: Arena): number => {
      let bytes = 0;
      for (const allocator of allocators.values()) {
        bytes += Number(base.ggml_gallocr_get_buffer_size(allocator, 0));
      }
      if (scheduler === undefined) return bytes;
      for (const { backend } of this.#devices) {
        bytes += Number(base.ggml_backend_sched_get_buffer_size(scheduler, backend));
      }
      return bytes;
    };
    return new Map(
      [...this.#idleArenas].map(([kind, arenas]) => [
        kind,
        arenas.reduce((sum, arena) => sum + bytesOf(arena), 0),
      ]),
    );
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    if (this.#numGraphs > 0) throw new Error(`${this.#numGraphs} graphs are still in use`);
    this.#isDisposed = true;
    for (const arenas of this.#idleArenas.values()) {
      for (const arena of arenas) this.#freeArena(arena);
    }
    for (const { backend } of this.#devices) this.library.base.ggml_backend_free(backend);
  }

  #takeArena(idle: Arena[], maxNodes: number): Arena {
    const { base } = this.library;
    const index = idle.findIndex((arena) => arena.maxNodes >= maxNodes);
    const [found] = index < 0 ? [] : idle.splice(index, 1);
    if (found !== undefined) return found;
    for (const arena of idle.splice(0)) this.#freeArena(arena);
    const headerBytes = Number(base.ggml_tensor_overhead()) * (maxNodes + 16);
    const graphBytes = Number(base.ggml_graph_overhead_custom(maxNodes, false));
    return new Arena(Buffer.alloc(headerBytes + graphBytes), maxNodes);
  }

  #freeArena({ allocators, scheduler, contexts }: Arena): void {
    const { base } = this.library;
    for (const allocator of allocators.values()) base.ggml_gallocr_free(allocator);
    if (scheduler !== undefined) base.ggml_backend_sched_free(scheduler);
    for (const context of contexts.values()) base.ggml_backend_free(context);
  }
}

function openDevice({ base }: GgmlLibrary, { device, handle }: FoundDevice): OpenDevice {
  const backend = base.ggml_backend_dev_init(handle, null);
  if (backend === null) {
    throw new PlatformError(
      "engine_unavailable",
      `The device ${device.id}, ${device.name}, could not be opened.`,
    );
  }
  const bufferType = base.ggml_backend_get_default_buffer_type(backend);
  return { id: device.id, handle, backend, bufferType, isSoftware: device.isSoftware };
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
