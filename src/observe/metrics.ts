/**
 * What is counted and measured, in Prometheus' form.
 *
 * Names that begin with `xinference:` are those of Xinference's workers and supervisor, so that dashboards made
 * for it go on working; `atalaya_` stands before what it does not have. Labels come from launched models and
 * known routes, never from what a client wrote, so the number of series is bounded.
 */
import { totalmem } from "node:os";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { EngineStats } from "../engines/engine.ts";
import type { ModelInstance } from "../supervisor/instance.ts";

const modelLabels = ["model_type", "model_uid", "model_name", "engine", "replica_index"] as const;
type ModelLabels = Record<(typeof modelLabels)[number], string>;

/** What a scrape asks for: models and how their engines are doing. */
export type Watched = {
  readonly list: () => readonly ModelInstance[];
  readonly version: string;
};

/** An engine that does not say how it is by then is left out of this scrape. */
const statsTimeoutMs = 1_000;

const firstTokenBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const interTokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const durationBuckets = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export class Metrics {
  readonly #registry = new Registry();
  readonly #watched: Watched;
  readonly #startedAt = performance.now();

  readonly #requests = this.#counter("xinference:model_request_total", "Requests to a model.");
  readonly #errors = this.#counter(
    "xinference:model_request_errors_total",
    "Requests to a model that failed.",
  );
  readonly #inputTokens = this.#counter(
    "xinference:input_tokens_total_counter",
    "Tokens of prompts.",
  );
  readonly #outputTokens = this.#counter(
    "xinference:output_tokens_total_counter",
    "Tokens of answers.",
  );
  readonly #generatedTokens = this.#counter(
    "xinference:generate_tokens_total",
    "Tokens of answers, under the name that newer dashboards use.",
  );
  readonly #firstToken = this.#histogram(
    "xinference:time_to_first_token_seconds",
    "From the request at the model's door to the first token of its answer.",
    firstTokenBuckets,
  );
  readonly #duration = this.#histogram(
    "xinference:model_request_duration_seconds",
    "From the request at the model's door to the end of its answer.",
    durationBuckets,
  );
  readonly #interToken = this.#histogram(
    "atalaya_inter_token_seconds",
    "Between two tokens of an answer.",
    interTokenBuckets,
  );
  readonly #encode = this.#histogram(
    "atalaya_picture_encode_seconds",
    "Time that a picture took in the vision tower; those out of the cache are not counted.",
    durationBuckets,
  );
  readonly #pictures = this.#counter(
    "atalaya_pictures_total",
    "Pictures shown to a model, by where their states were cached: memory, disk, or false.",
    "cached",
  );
  readonly #finishes = this.#counter(
    "atalaya_answers_total",
    "Answers by how they ended: stop, length, cancelled, or the code of an error.",
    "outcome",
  );
  readonly #serving = this.#modelGauge("xinference:model_serve_count", "Answers under way.");
  readonly #loadSeconds = this.#modelGauge(
    "xinference:model_last_load_duration_seconds",
    "How long the model took to load.",
  );
  readonly #running = this.#modelGauge("atalaya_running", "Requests that an engine works on.");
  readonly #waiting = this.#modelGauge("atalaya_waiting", "Requests that wait in an engine.");
  readonly #kvUsed = this.#modelGauge("atalaya_kv_blocks_used", "Blocks of the KV cache in use.");
  readonly #kvTotal = this.#modelGauge("atalaya_kv_blocks", "Blocks of the KV cache.");
  readonly #promptTokens = this.#modelGauge(
    "atalaya_prefix_tokens_total",
    "Tokens of prompts that an engine was given.",
  );
  readonly #reusedTokens = this.#modelGauge(
    "atalaya_prefix_hit_tokens_total",
    "Of those, the ones whose keys and values were in the KV cache.",
  );
  readonly #cachedPictures = this.#modelGauge(
    "atalaya_cached_pictures",
    "Pictures whose states are in memory.",
  );
  readonly #memory = this.#gauge(
    "atalaya_memory_bytes",
    "Memory by kind: resident of a worker and of this server.",
    ["kind", "model_uid"],
  );
  readonly #models = this.#gauge("xinference:models_loaded_total", "Models that answer.", [
    "model_type",
  ]);
  readonly #info = this.#gauge("xinference:model_info", "1 for every model that answers.", [
    ...modelLabels,
  ]);
  readonly #status = this.#gauge("xinference:model_status", "1 for the state a model is in.", [
    "model_uid",
    "model_name",
    "status",
  ]);
  readonly #uptime = this.#gauge(
    "xinference:supervisor_uptime_seconds",
    "Since this server started.",
    [],
  );
  readonly #httpRequests = new Counter({
    name: "atalaya_http_requests_total",
    help: "HTTP requests by method, route and status.",
    labelNames: ["method", "route", "status"],
    registers: [this.#registry],
  });
  readonly #httpSeconds = new Histogram({
    name: "atalaya_http_request_seconds",
    help: "From a request's headers to the end of its answer.",
    labelNames: ["method", "route"],
    buckets: durationBuckets,
    registers: [this.#registry],
  });

  readonly #batchLines = new Counter({
    name: "atalaya_batch_lines_total",
    help: "Lines of batches by how they ended: a status, or expired.",
    labelNames: ["outcome"],
    registers: [this.#registry],
  });

  constructor(watched: Watched) {
    this.#watched = watched;
    this.#gauge("xinference:build_info", "1, with the version.", ["version"]).set(
      { version: watched.version },
      1,
    );
    this.#gauge("xinference:workers_total", "Machines that models run on.", []).set(1);
    this.#gauge("atalaya_machine_memory_bytes", "Memory of this machine.", []).set(totalmem());
  }

  /** Begin to record one answer. */
  answer(instance: ModelInstance): AnswerMetrics {
    const labels = labelsOf(instance);
    this.#requests.inc(labels);
    this.#serving.inc(labels);
    // Bound once: an answer has a thousand tokens.
    const outputTokens = this.#outputTokens.labels(labels);
    const generatedTokens = this.#generatedTokens.labels(labels);
    const interToken = this.#interToken.labels(labels);
    return {
      prompt: (numTokens) => this.#inputTokens.inc(labels, numTokens),
      picture: ({ cached, encodeMs }) => {
        this.#pictures.inc({ ...labels, cached });
        if (cached === "false") this.#encode.observe(labels, encodeMs / 1_000);
      },
      firstToken: (seconds) => this.#firstToken.observe(labels, seconds),
      tokens: (count) => {
        outputTokens.inc(count);
        generatedTokens.inc(count);
      },
      interToken: (seconds) => interToken.observe(seconds),
      end: ({ outcome, isError, seconds }) => {
        this.#serving.dec(labels);
        this.#finishes.inc({ ...labels, outcome });
        this.#duration.observe(labels, seconds);
        if (isError) this.#errors.inc(labels);
      },
    };
  }

  /** @param outcome a status of ours, or `expired` */
  batchLine(outcome: string): void {
    this.#batchLines.inc({ outcome });
  }

  /** @param count asked at every scrape */
  countUnfinishedBatches(count: () => number): void {
    new Gauge({
      name: "atalaya_batches_unfinished",
      help: "Batches that wait or are being done.",
      registers: [this.#registry],
      collect() {
        this.set(count());
      },
    });
  }

  /** @param route the pattern, such as `/v1/models/:uid`; never the address itself */
  http(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void {
    const { method, route, status, seconds } = request;
    this.#httpRequests.inc({ method, route, status: `${status}` });
    this.#httpSeconds.observe({ method, route }, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, as Prometheus reads it. */
  async render(): Promise<string> {
    await this.#collect();
    return await this.#registry.metrics();
  }

  /** What is true now, and no count: models that are gone must not stay. */
  async #collect(): Promise<void> {
    const instances = this.#watched.list();
    const known = new Set(instances.map(({ uid }) => `${uid}`));
    for (const gauge of [this.#running, this.#waiting, this.#kvUsed, this.#kvTotal]) gauge.reset();
    for (const gauge of [this.#promptTokens, this.#reusedTokens]) gauge.reset();
    for (const gauge of [
      this.#cachedPictures,
      this.#memory,
      this.#info,
      this.#status,
      this.#loadSeconds,
    ]) {
      gauge.reset();
    }
    this.#uptime.set((performance.now() - this.#startedAt) / 1_000);
    this.#memory.set({ kind: "platform", model_uid: "" }, process.memoryUsage.rss());
    let numReady = 0;
    await Promise.all(
      instances.map(async (instance) => {
        const { uid, modelName, state } = instance;
        this.#status.set({ model_uid: uid, model_name: modelName, status: state }, 1);
        if (instance.state !== "ready") return;
        numReady += 1;
        const labels = labelsOf(instance);
        this.#info.set(labels, 1);
        this.#loadSeconds.set(labels, instance.loadMs / 1_000);
        const stats = await within(statsTimeoutMs, instance.engine.stats());
        if (stats !== undefined && known.has(uid)) this.#setStats(labels, stats);
      }),
    );
    this.#models.set({ model_type: "LLM" }, numReady);
  }

  #setStats(labels: ModelLabels, stats: EngineStats): void {
    this.#running.set(labels, stats.numRunning);
    this.#waiting.set(labels, stats.numWaiting);
    this.#kvUsed.set(labels, stats.kvBlocksUsed);
    this.#kvTotal.set(labels, stats.kvBlocksTotal);
    this.#cachedPictures.set(labels, stats.cachedPictures);
    if (stats.promptTokens !== undefined) this.#promptTokens.set(labels, stats.promptTokens);
    if (stats.reusedTokens !== undefined) this.#reusedTokens.set(labels, stats.reusedTokens);
    const kinds = {
      worker: stats.residentBytes,
      weights: stats.weightBytes,
      kv_cache: stats.kvCacheBytes,
      pictures: stats.pictureBytes,
    };
    for (const [kind, bytes] of Object.entries(kinds)) {
      if (bytes !== undefined) this.#memory.set({ kind, model_uid: labels.model_uid }, bytes);
    }
  }

  #counter(name: string, help: string, ...more: readonly string[]): Counter {
    return new Counter({
      name,
      help,
      labelNames: [...modelLabels, ...more],
      registers: [this.#registry],
    });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    const labelNames = [...modelLabels];
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }

  #modelGauge(name: string, help: string): Gauge {
    return this.#gauge(name, help, [...modelLabels]);
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** What one answer tells. Seconds are since the request came to the model's door, or between tokens. */
export type AnswerMetrics = {
  readonly prompt: (numTokens: number) => void;
  readonly picture: (picture: {
    readonly cached: "memory" | "disk" | "false";
    readonly encodeMs: number;
  }) => void;
  readonly firstToken: (seconds: number) => void;
  readonly tokens: (count: number) => void;
  readonly interToken: (seconds: number) => void;
  readonly end: (how: {
    readonly outcome: string;
    readonly isError: boolean;
    readonly seconds: number;
  }) => void;
};

function labelsOf({ uid, modelName, engineKind }: ModelInstance): ModelLabels {
  return {
    model_type: "LLM",
    model_uid: uid,
    model_name: modelName,
    engine: engineKind,
    replica_index: "0",
  };
}

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
