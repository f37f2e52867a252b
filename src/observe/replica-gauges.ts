/** How the engine of each replica is doing, asked at every scrape. */
import { Gauge, type Registry } from "prom-client";
import type { EngineStats } from "../engines/engine.ts";
import type { ModelInstance, ReadyInstance } from "../supervisor/instance.ts";
import type { ReplicaRecord } from "../supervisor/replicas.ts";
import { labelsOf, modelLabels } from "./model-labels.ts";

/** An engine that does not say how it is by then is left out of this scrape. */
const statsTimeoutMs = 1_000;

export class ReplicaGauges {
  readonly #gauges: Gauge[] = [];

  readonly #replicas = this.#gauge("atalaya_replicas", "Replicas by state.", [
    "model_uid",
    "model_name",
    "state",
  ]);
  readonly #serving = this.#gauge("xinference:model_serve_count", "Answers under way.");
  readonly #running = this.#gauge("atalaya_running", "Requests that an engine works on.");
  readonly #waiting = this.#gauge("atalaya_waiting", "Requests that wait in an engine.");
  readonly #kvUsed = this.#gauge("atalaya_kv_blocks_used", "Blocks of the KV cache in use.");
  readonly #kvTotal = this.#gauge("atalaya_kv_blocks", "Blocks of the KV cache.");
  readonly #cachedPictures = this.#gauge(
    "atalaya_cached_pictures",
    "Pictures whose states are in memory.",
  );
  readonly #memory = this.#gauge(
    "atalaya_memory_bytes",
    "Memory by kind: of this server (platform), resident of a worker, and what that worker says it is for.",
    ["kind", "model_uid", "replica_index"],
  );

  constructor(registry: Registry) {
    for (const gauge of this.#gauges) registry.registerMetric(gauge);
  }

  /** What is true now: of models and replicas that are gone nothing stays. */
  async collect(instances: readonly ModelInstance[]): Promise<void> {
    const asked = await Promise.all(
      instances.flatMap((instance) =>
        instance.state === "ready" ? instance.replicas.list().map(askEngine(instance)) : [],
      ),
    );
    for (const gauge of this.#gauges) gauge.reset();
    this.#memory.set(
      { kind: "platform", model_uid: "", replica_index: "" },
      process.memoryUsage.rss(),
    );
    for (const { uid, modelName, replicas } of instances) {
      for (const { state } of replicas.list()) {
        this.#replicas.inc({ model_uid: uid, model_name: modelName, state });
      }
    }
    for (const { instance, replica, stats } of asked) this.#set(instance, replica, stats);
  }

  #set(instance: ReadyInstance, replica: ReplicaRecord, stats: EngineStats | undefined): void {
    const labels = labelsOf(instance, replica.id);
    this.#serving.set(labels, replica.numRunning);
    if (stats === undefined) return;
    this.#running.set(labels, stats.numRunning);
    this.#waiting.set(labels, stats.numWaiting);
    this.#kvUsed.set(labels, stats.kvBlocksUsed);
    this.#kvTotal.set(labels, stats.kvBlocksTotal);
    this.#cachedPictures.set(labels, stats.cachedPictures);
    const kinds = {
      worker: stats.residentBytes,
      weights: stats.weightBytes,
      kv_cache: stats.kvCacheBytes,
      pictures: stats.pictureBytes,
    };
    for (const [kind, bytes] of Object.entries(kinds)) {
      const { model_uid, replica_index } = labels;
      if (bytes !== undefined) this.#memory.set({ kind, model_uid, replica_index }, bytes);
    }
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = modelLabels): Gauge {
    const gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [] });
    this.#gauges.push(gauge);
    return gauge;
  }
}

const askEngine =
  (instance: ReadyInstance) =>
  async (
    replica: ReplicaRecord,
  ): Promise<{
    readonly instance: ReadyInstance;
    readonly replica: ReplicaRecord;
    readonly stats: EngineStats | undefined;
  }> => ({
    instance,
    replica,
    stats: replica.engine && (await within(statsTimeoutMs, replica.engine.stats())),
  });

async function within<Value>(
  milliseconds: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } catch {
    // An engine that ended is no reason to leave out the others.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
