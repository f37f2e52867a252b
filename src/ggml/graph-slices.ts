/**
 * A long computation in parts, between which others get their turn.
 *
 * ggml computes a graph's nodes in order; a part is a graph of the next few of them, in the same memory. How many
 * is chosen by what they cost and by how fast the parts before were, so that one takes about `SLICE_MS`.
 */
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";

/** A part's time, milliseconds. A node that takes longer is a part of its own. */
const SLICE_MS = 60;
/** Operations a millisecond until one was measured: a slow processor's. */
const FIRST_SPEED = 2e7;

/** What nodes cost, in floating point operations or what takes as long. */
export type NodeCosts = ReadonlyMap<Pointer, number>;

export type SliceRun = (
  graph: Pointer,
) => Promise<{ readonly status: number; readonly computeMs: number }>;

/**
 * Compute `graph`, whose memory is allocated, waiting for `pause` before each part.
 *
 * @returns the sum of the parts' times; the first status that is not 0 ends it
 */
export async function computeInSlices(
  graph: Pointer,
  {
    base,
    costs,
    run,
    pause,
  }: {
    readonly base: GgmlLibrary["base"];
    readonly costs: NodeCosts;
    readonly run: SliceRun;
    /** May throw, which ends the computation. */
    readonly pause: () => Promise<void>;
  },
): Promise<{ status: number; computeMs: number }> {
  const numNodes = Number(base.ggml_graph_n_nodes(graph));
  const nodes = Array.from({ length: numNodes }, (_, index) => base.ggml_graph_node(graph, index));
  let speed = FIRST_SPEED;
  let computeMs = 0;
  for (let start = 0; start < numNodes; ) {
    await pause();
    const { end, cost } = nextSlice(nodes, start, { costs, budget: speed * SLICE_MS });
    const result = await computeNodes(nodes.slice(start, end), { base, run });
    computeMs += result.computeMs;
    if (result.status !== 0) return { status: result.status, computeMs };
    // Nodes that only look at others' memory say nothing about speed.
    if (cost > 0 && result.computeMs > 1) speed = (speed + cost / result.computeMs) / 2;
    start = end;
  }
  return { status: 0, computeMs };
}

function nextSlice(
  nodes: readonly Pointer[],
  start: number,
  { costs, budget }: { readonly costs: NodeCosts; readonly budget: number },
): { readonly end: number; readonly cost: number } {
  let cost = 0;
  let end = start;
  for (const node of nodes.slice(start)) {
    const next = costs.get(node) ?? 0;
    if (end > start && cost + next > budget) break;
    cost += next;
    end++;
  }
  return { end, cost };
}

/** What ggml writes to while a part is computed: nothing else of ours refers to it then, and it would be collected. */
const memoryInUse = new Set<Buffer>();

async function computeNodes(
  nodes: readonly Pointer[],
  { base, run }: { readonly base: GgmlLibrary["base"]; readonly run: SliceRun },
): Promise<{ readonly status: number; readonly computeMs: number }> {
  const graphBytes = Number(base.ggml_graph_overhead_custom(nodes.length, false));
  const memory = Buffer.alloc(graphBytes + 1_024);
  memoryInUse.add(memory);
  const context = base.ggml_init({
    mem_size: memory.length,
    mem_buffer: memory,
    no_alloc: true,
  });
  try {
    const part = base.ggml_new_graph_custom(context, nodes.length, false);
    for (const node of nodes) base.ggml_graph_add_node(part, node);
    return await run(part);
  } finally {
    base.ggml_free(context);
    memoryInUse.delete(memory);
  }
}
