/**
 * What is counted and measured, in Prometheus' form.
 *
 * Names that begin with `xinference:` are those of Xinference's workers and supervisor, so that dashboards made
 * for it go on working; `atalaya_` stands before what it does not have. Labels come from launched models and
 * known routes, never from what a client wrote, so the number of series is bounded.
 */
import { totalmem } from "node:os";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { QueueState } from "../supervisor/fair-queue.ts";
import type { ModelInstance, ReadyInstance } from "../supervisor/instance.ts";
import { labelsOf, type ModelLabels, modelLabels } from "./model-labels.ts";
import { ReplicaGauges } from "./replica-gauges.ts";
import { XinferenceHttpCounters } from "./xinference-http.ts";

/** What a scrape asks for: models and how their engines are doing. */
export type Watched = {
  readonly list: () => readonly ModelInstance[];
  readonly queueOf: (instance: ReadyInstance) => QueueState;
  readonly version: string;
};

const firstTokenBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const interTokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const queueBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
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
  readonly #cacheQueries = this.#counter(
    "atalaya_cache_queries_total",
    "What answers looked for in a cache: tokens of prompts (cache kv), pictures (cache pictures), those of them that were not in memory (cache pictures_on_disk).",
    "cache",
  );
  readonly #cacheHits = this.#counter(
    "atalaya_cache_hits_total",
    "Of what answers looked for in a cache, what was there.",
    "cache",
  );
  readonly #tokensPerSecond = this.#modelGauge(
    "xinference:generate_tokens_per_s",
    "Tokens per second of the latest answer; of many answers, take rate() of a counter.",
  );
  readonly #firstTokenMs = this.#modelGauge(
    "xinference:time_to_first_token_ms",
    "Of the latest answer; of many answers, take the histogram.",
  );
  readonly #finishes = this.#counter(
    "atalaya_answers_total",
    "Answers by how they ended: stop, length, cancelled, or the code of an error.",
    "outcome",
  );
  readonly #loadSeconds = this.#modelGauge(
    "xinference:model_last_load_duration_seconds",
    "How long the model took to load.",
  );
  readonly #workerEnds = new Counter({
    name: "xinference:model_unexpected_termination",
    help: "How often a worker of the model ended that nobody stopped.",
    labelNames: ["model_uid", "replica_index"],
    registers: [this.#registry],
  });
  readonly #replicas = new ReplicaGauges(this.#registry);
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

  readonly #xinferenceHttp = new XinferenceHttpCounters(this.#registry);

  readonly #queued = this.#gauge(
    "atalaya_queue_waiting",
    "Requests that wait for their turn at a model.",
    [...modelLabels],
  );
  readonly #askers = this.#gauge(
    "atalaya_queue_askers",
    "Keys, accounts and addresses that these come from.",
    [...modelLabels],
  );
  readonly #queueSeconds = this.#histogram(
    "atalaya_queue_seconds",
    "How long a request waited for its turn.",
    queueBuckets,
  );
  readonly #queueRefused = this.#counter(
    "atalaya_queue_refused_total",
    "Requests refused because too many wait.",
  );

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

  /**
   * Begin to record one answer. It is counted with the first thing that is told of it, and then it must be known
   * who answers.
   *
   * @param replica its number, once one was chosen
   */
  answer(instance: ModelInstance, replica: () => number | undefined): AnswerMetrics {
    // Bound once, when it is known who answers: an answer has a thousand tokens.
    let bound: BoundMetrics | undefined;
    const of = (): BoundMetrics => {
      bound ??= this.#bind(instance, replica());
      return bound;
    };
    return {
      prompt: (numTokens) => of().inputTokens.inc(numTokens),
      picture: ({ cached, encodeMs }) => {
        const { labels, encode } = of();
        const isEncoded = cached === "false";
        this.#cacheQueries.inc({ ...labels, cache: "pictures" });
        this.#cacheHits.inc({ ...labels, cache: "pictures" }, isEncoded ? 0 : 1);
        if (cached !== "memory") {
          this.#cacheQueries.inc({ ...labels, cache: "pictures_on_disk" });
          this.#cacheHits.inc({ ...labels, cache: "pictures_on_disk" }, isEncoded ? 0 : 1);
        }
        if (isEncoded) encode.observe(encodeMs / 1_000);
      },
      cachedPrompt: ({ numTokens, numCached }) => {
        const { labels } = of();
        this.#cacheQueries.inc({ ...labels, cache: "kv" }, numTokens);
        this.#cacheHits.inc({ ...labels, cache: "kv" }, numCached);
      },
      firstToken: (seconds) => {
        const { labels, firstToken } = of();
        firstToken.observe(seconds);
        this.#firstTokenMs.set(labels, seconds * 1_000);
      },
      tokens: (count) => {
        const { outputTokens, generatedTokens } = of();
        outputTokens.inc(count);
        generatedTokens.inc(count);
      },
      interToken: (seconds) => of().interToken.observe(seconds),
      end: ({ outcome, isError, seconds, tokensPerSecond }) => {
        const { labels } = of();
        this.#finishes.inc({ ...labels, outcome });
        this.#duration.observe(labels, seconds);
        if (isError) this.#errors.inc(labels);
        if (tokensPerSecond !== undefined) this.#tokensPerSecond.set(labels, tokensPerSecond);
      },
    };
  }

  #bind(instance: ModelInstance, replica: number | undefined): BoundMetrics {
    const labels = labelsOf(instance, replica);
    this.#requests.inc(labels);
    return {
      labels,
      inputTokens: this.#inputTokens.labels(labels),
      outputTokens: this.#outputTokens.labels(labels),
      generatedTokens: this.#generatedTokens.labels(labels),
      firstToken: this.#firstToken.labels(labels),
      interToken: this.#interToken.labels(labels),
      encode: this.#encode.labels(labels),
    };
  }

  /** A worker ended that nobody stopped. */
  workerEnded({ uid, replica }: { readonly uid: string; readonly replica: number }): void {
    this.#workerEnds.inc({ model_uid: uid, replica_index: `${replica}` });
  }

  /** How one request's wait for its turn ended. */
  queued(instance: ModelInstance, how: { readonly waitedMs: number } | "refused"): void {
    const labels = labelsOf(instance);
    if (how === "refused") this.#queueRefused.inc(labels);
    else this.#queueSeconds.observe(labels, how.waitedMs / 1_000);
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
    this.#xinferenceHttp.count(request);
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
    for (const gauge of [this.#info, this.#status, this.#loadSeconds]) gauge.reset();
    for (const gauge of [this.#queued, this.#askers]) gauge.reset();
    this.#uptime.set((performance.now() - this.#startedAt) / 1_000);
    for (const instance of instances) {
      const { uid, modelName, state } = instance;
      this.#status.set({ model_uid: uid, model_name: modelName, status: state }, 1);
      if (instance.state !== "ready") continue;
      const labels = labelsOf(instance);
      this.#info.set(labels, 1);
      this.#loadSeconds.set(labels, instance.loadMs / 1_000);
      const { numWaiting, numAskers } = this.#watched.queueOf(instance);
      this.#queued.set(labels, numWaiting);
      this.#askers.set(labels, numAskers);
    }
    const numReady = instances.filter(({ state }) => state === "ready").length;
    this.#models.set({ model_type: "LLM" }, numReady);
    await this.#replicas.collect(instances);
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

/** Metrics with the labels of one model's replica. */
type BoundMetrics = {
  readonly labels: ModelLabels;
  readonly inputTokens: Counter.Internal;
  readonly outputTokens: Counter.Internal;
  readonly generatedTokens: Counter.Internal;
  readonly firstToken: Histogram.Internal<string>;
  readonly interToken: Histogram.Internal<string>;
  readonly encode: Histogram.Internal<string>;
};

/** What one answer tells. Seconds are since the request came to the model's door, or between tokens. */
export type AnswerMetrics = {
  readonly prompt: (numTokens: number) => void;
  readonly picture: (picture: {
    readonly cached: "memory" | "disk" | "false";
    readonly encodeMs: number;
  }) => void;
  /** Of a prompt's tokens, those whose keys and values were in the KV cache. */
  readonly cachedPrompt: (prompt: {
    readonly numTokens: number;
    readonly numCached: number;
  }) => void;
  readonly firstToken: (seconds: number) => void;
  readonly tokens: (count: number) => void;
  readonly interToken: (seconds: number) => void;
  readonly end: (how: {
    readonly outcome: string;
    readonly isError: boolean;
    readonly seconds: number;
    /** From the first token to the last; absent where there were not two. */
    readonly tokensPerSecond?: number | undefined;
  }) => void;
};
