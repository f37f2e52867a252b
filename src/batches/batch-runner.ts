/**
 * Does the lines of batches, beside everything else and after it.
 *
 * A line's result is in the state before the next thing happens, so a line that was done is not done
 * again, even when the server is killed. What was begun and not finished is begun again.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { type Owner, theProgram, type Viewer } from "../base/viewer.ts";
import { FileStore } from "../files/file-store.ts";
import { type BatchEndpoint, type BatchRecord, inState, isFinished } from "./batch-record.ts";
import type { BatchStore } from "./batch-store.ts";
import { checkInput, type InputLine, readInput } from "./input-lines.ts";
import type { Turns } from "./turns.ts";

export type ExecuteLine = (
  request: { readonly url: string; readonly body: object },
  /** In whose name it is asked, with what that one may and has left by now. */
  options: { readonly signal: AbortSignal; readonly owner: Owner },
) => Promise<{
  readonly status: number;
  readonly requestId: string;
  readonly body: unknown;
  /** When the owner is at a limit of its own: after so many seconds it may ask again. */
  readonly limitedForSeconds?: number | undefined;
}>;

export type BatchRunnerParts = {
  readonly store: BatchStore;
  readonly files: FileStore;
  readonly turns: Turns;
  /** Ask as the batch's owner would. */
  readonly execute: ExecuteLine;
  readonly log: Logger;
  /** Told how each line went: its status, or why it was not tried. */
  readonly onLine?: (outcome: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Between two tries of a line that may succeed later. */
  readonly retryMs?: number;
};

/** Batches that are not finished, at once. */
const maxUnfinished = 100;

const windowSeconds = 24 * 60 * 60;

/** More lines are not begun at once, whatever the models could take. */
const maxLinesAtOnce = 32;

/** A line is tried so often when what stands in its way may pass. */
const maxTries = 5;
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/**
 * Who may send so many requests a minute, or have so many under way, waits that long for the next, as often as it takes. A
 * day's budget that is spent is not waited for: the line says so.
 */
const maxPauseSeconds = 120;

/** A line has its first turn at the model, and takes another for each further try. */
type Tries = {
  readonly signal: AbortSignal;
  readonly turn: () => void;
  readonly takeTurn: () => Promise<() => void>;
};

type Running = { readonly controller: AbortController; readonly ended: Promise<void> };

/** Why a batch stops before its last line. */
class Stop extends Error {
  readonly to: "cancelled" | "expired" | "later";

  constructor(to: Stop["to"]) {
    super(to);
    this.to = to;
  }
}

export class BatchRunner implements AsyncDisposable {
  readonly #parts: BatchRunnerParts;
  readonly #running = new Map<string, Running>();
  #isClosing = false;

  constructor(parts: BatchRunnerParts) {
    this.#parts = parts;
  }

  /** Go on with what was not finished when the server ended. */
  async resume(): Promise<void> {
    for (const record of await this.#parts.store.unfinished()) this.#start(record, true);
  }

  /** @throws PlatformError `not_found` for the file, `invalid_request`, `queue_full` */
  async create(
    wish: {
      readonly endpoint: BatchEndpoint;
      readonly inputFileId: string;
      readonly metadata: Readonly<Record<string, string>>;
      readonly outputExpiresAfterSeconds?: number | undefined;
    },
    viewer: Viewer,
  ): Promise<BatchRecord> {
    const { store, files } = this.#parts;
    const { purpose } = await files.get(wish.inputFileId, viewer);
    if (purpose !== "batch") {
      throw new PlatformError(
        "invalid_request",
        `The file was sent for the purpose "${purpose}". Send it again with the purpose "batch".`,
        { details: { param: "input_file_id" } },
      );
    }
    if (this.#running.size >= maxUnfinished) {
      throw new PlatformError(
        "queue_full",
        `${maxUnfinished} batches are not finished yet. Wait for one of them, or cancel it.`,
      );
    }
    const createdAt = this.#seconds();
    const record: BatchRecord = {
      id: `batch_${randomBytes(16).toString("hex")}`,
      owner: viewer.owner,
      ...wish,
      status: "validating",
      errors: [],
      total: 0,
      completed: 0,
      failed: 0,
      createdAt,
      expiresAt: createdAt + windowSeconds,
      times: {},
    };
    await store.add(record);
    this.#start(record);
    return record;
  }

  /**
   * Ends a batch; what is done of it becomes its files.
   *
   * @throws PlatformError `not_found`, `invalid_request` when it has ended already
   */
  async cancel(id: string, viewer: Viewer): Promise<BatchRecord> {
    const record = await this.get(id, viewer);
    const running = this.#running.get(id);
    if (isFinished(record) || record.status === "finalizing" || running === undefined) {
      throw new PlatformError(
        "invalid_request",
        `The batch is ${record.status} and can no longer be cancelled.`,
        { details: { param: "batch_id" } },
      );
    }
    if (record.status === "cancelling") return record;
    const cancelling = inState(record, "cancelling", this.#seconds());
    await this.#parts.store.update(cancelling);
    running.controller.abort(new Stop("cancelled"));
    return cancelling;
  }

  /** @throws PlatformError `not_found`, when it is another's too */
  async get(id: string, viewer: Viewer): Promise<BatchRecord> {
    const record = await this.#parts.store.get(id, viewer);
    if (record !== undefined) return record;
    throw new PlatformError(
      "not_found",
      "There is no such batch. GET /v1/batches lists those that are there.",
      { details: { param: "batch_id" } },
    );
  }

  /** How many are not finished. */
  get numUnfinished(): number {
    return this.#running.size;
  }

  /** Stop where it is; the next start goes on from there. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    const all = [...this.#running.values()];
    for (const { controller } of all) controller.abort(new Stop("later"));
    await Promise.all(all.map(({ ended }) => ended));
  }

  /** @param isResumed its models ran before, so they are waited for */
  #start(record: BatchRecord, isResumed = false): void {
    if (this.#isClosing) return;
    const controller = new AbortController();
    const ended = this.#run(record, { controller, isResumed })
      .catch(async (error: unknown) => await this.#fail(record.id, error))
      .finally(() => this.#running.delete(record.id));
    this.#running.set(record.id, { controller, ended });
  }

  async #run(
    first: BatchRecord,
    {
      controller,
      isResumed,
    }: { readonly controller: AbortController; readonly isResumed: boolean },
  ): Promise<void> {
    let record = first;
    const { store } = this.#parts;
    const move = async (status: BatchRecord["status"]): Promise<void> => {
      record = inState(record, status, this.#seconds());
      await store.update(record);
    };
    if (record.status === "cancelling") controller.abort(new Stop("cancelled"));
    if (record.status === "validating") {
      const { total, errors } = await this.#check(record);
      record = { ...record, total, errors };
      if (errors.length > 0) return await move("failed");
      await move("in_progress");
    }
    let end: "completed" | "cancelled" | "expired" = "completed";
    // A batch that was being written when the server ended has all its lines.
    if (record.status !== "finalizing") {
      const stop = await this.#doLines(record, { stopped: controller.signal, isResumed });
      if (stop === "later") return;
      end = stop ?? "completed";
      if (end === "completed") await move("finalizing");
      else record = (await store.get(record.id, theProgram)) ?? record;
    }
    await this.#finish(record, end);
  }

  async #check({ inputFileId, endpoint }: BatchRecord): ReturnType<typeof checkInput> {
    return await checkInput(await this.#parts.files.read(inputFileId, theProgram), endpoint);
  }

  /** @returns why it stopped before the last line, if it did */
  async #doLines(
    record: BatchRecord,
    { stopped, isResumed }: { readonly stopped: AbortSignal; readonly isResumed: boolean },
  ): Promise<Stop["to"] | undefined> {
    const { store, files } = this.#parts;
    const done = await store.doneLines(record.id);
    const expiry = new AbortController();
    const timer = setTimeout(
      () => expiry.abort(new Stop("expired")),
      Math.min(Math.max(0, record.expiresAt * 1_000 - this.#now()), windowSeconds * 1_000),
    );
    const signal = AbortSignal.any([stopped, expiry.signal]);
    const underWay = new Set<Promise<void>>();
    try {
      for await (const line of readInput(await files.read(record.inputFileId, theProgram))) {
        if (done.has(line.line)) continue;
        signal.throwIfAborted();
        if (underWay.size >= maxLinesAtOnce) await Promise.race(underWay);
        const takeTurn = async (): Promise<() => void> =>
          await this.#parts.turns.take(modelOf(line), { signal, isPatient: isResumed });
        const turn = await takeTurn();
        const work = this.#doLine(record, line, { signal, turn, takeTurn }).finally(() =>
          underWay.delete(work),
        );
        underWay.add(work);
        // The race above, or the wait below, throws it.
        work.catch(() => undefined);
      }
      await Promise.all(underWay);
      return undefined;
    } catch (error) {
      if (!signal.aborted || !(signal.reason instanceof Stop)) throw error;
      await Promise.allSettled(underWay);
      if (signal.reason.to === "expired") await this.#expireRest(record);
      return signal.reason.to;
    } finally {
      clearTimeout(timer);
      await Promise.allSettled(underWay);
    }
  }

  async #doLine(
    { id: batchId, owner }: Pick<BatchRecord, "id" | "owner">,
    line: InputLine,
    tries: Tries,
  ): Promise<void> {
    const answer = await this.#ask(line, owner, tries);
    const isGood = answer.status >= 200 && answer.status < 300;
    const response = {
      status_code: answer.status,
      request_id: answer.requestId,
      body: answer.body,
    };
    await this.#parts.store.addResult(batchId, {
      line: line.line,
      isGood,
      result: toResultLine(line, { response, error: null }),
    });
    this.#parts.onLine?.(`${answer.status}`);
  }

  /** What may pass is tried again; a batch has a day. Whoever waits keeps nobody else from the model. */
  async #ask(line: InputLine, owner: Owner, tries: Tries): ReturnType<ExecuteLine> {
    const { execute, retryMs = 2_000 } = this.#parts;
    const { signal, takeTurn } = tries;
    let { turn } = tries;
    for (let numTries = 1; ; ) {
      const request = { url: line.url, body: line.body };
      const answer = await execute(request, { signal, owner }).finally(turn);
      // An answer that was cut off is none.
      signal.throwIfAborted();
      if (!passing.has(answer.status)) return answer;
      const { limitedForSeconds: limited } = answer;
      if (limited === undefined ? numTries === maxTries : limited > maxPauseSeconds) return answer;
      const pauseMs = limited === undefined ? retryMs * 2 ** (numTries - 1) : limited * 1_000;
      await sleep(pauseMs, undefined, { signal });
      if (limited === undefined) numTries += 1;
      turn = await takeTurn();
    }
  }

  async #expireRest(record: BatchRecord): Promise<void> {
    const { store, files } = this.#parts;
    const done = await store.doneLines(record.id);
    for await (const line of readInput(await files.read(record.inputFileId, theProgram))) {
      if (done.has(line.line)) continue;
      const error = {
        code: "batch_expired",
        message: "This request was not reached within the batch's 24 hours.",
      };
      const result = toResultLine(line, { response: null, error });
      await store.addResult(record.id, { line: line.line, isGood: false, result });
      this.#parts.onLine?.("expired");
    }
  }

  async #finish(record: BatchRecord, end: "completed" | "cancelled" | "expired"): Promise<void> {
    const { store, log } = this.#parts;
    const counts = await store.count(record.id);
    // The ids are chosen before the files are made: a second try replaces the first one's files.
    const named: BatchRecord = {
      ...record,
      ...counts,
      ...(counts.completed > 0 ? { outputFileId: record.outputFileId ?? FileStore.newId() } : {}),
      ...(counts.failed > 0 ? { errorFileId: record.errorFileId ?? FileStore.newId() } : {}),
    };
    await store.update(named);
    await this.#write(named, true);
    await this.#write(named, false);
    await store.finish(inState(named, end, this.#seconds()));
    log.info({ batchId: record.id, end, ...counts }, "batch-finished");
  }

  async #write(record: BatchRecord, isGood: boolean): Promise<void> {
    const { store, files } = this.#parts;
    const id = isGood ? record.outputFileId : record.errorFileId;
    if (id === undefined) return;
    await files.create({
      id,
      owner: record.owner,
      bytes: store.results(record.id, isGood),
      filename: `${record.id}_${isGood ? "output" : "error"}.jsonl`,
      notes: {
        purpose: "batch_output",
        expiresAfterSeconds: record.outputExpiresAfterSeconds,
      },
    });
  }

  /** Its input is gone, the disk is full, or a bug: the batch says so, and others go on. */
  async #fail(id: string, error: unknown): Promise<void> {
    const { store, log } = this.#parts;
    if (this.#isClosing) return;
    const isOurs = error instanceof PlatformError;
    log.error({ batchId: id, err: error }, isOurs ? "batch failed" : "bug");
    const fault = isOurs
      ? { code: error.code, message: error.message }
      : { code: "internal", message: "The batch failed inside the server; its log says more." };
    const record = await store.get(id, theProgram).catch(() => undefined);
    if (record === undefined) return;
    const failed = inState({ ...record, errors: [fault] }, "failed", this.#seconds());
    await store.update(failed).catch((cause: unknown) => log.error({ err: cause }, "bug"));
  }

  #now(): number {
    return this.#parts.now?.() ?? Date.now();
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1_000);
  }
}

function modelOf({ body }: InputLine): string {
  const { model } = body;
  return typeof model === "string" ? model : "";
}

function toResultLine(
  { customId }: InputLine,
  outcome: { readonly response: object | null; readonly error: object | null },
): string {
  const id = `batch_req_${randomBytes(12).toString("hex")}`;
  return JSON.stringify({ id, custom_id: customId, ...outcome });
}
