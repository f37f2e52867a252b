/** How a download goes: bars where somebody watches, a line now and then elsewhere. */
import { MultiBar, type SingleBar } from "cli-progress";
import type { PullEvent, PullPlan } from "../../platform.ts";
import type { Terminal } from "../terminal.ts";
import { RateMeter, showBytes, showDuration } from "./quantities.ts";

/** Between two lines where no terminal is. */
const lineEveryMs = 10_000;
const redrawEveryMs = 200;
/** Files below this get no line of their own. */
const notableBytes = 1_000_000;
const nameWidth = 34;

/** What a person is shown of a download: where its files are put is not among it. */
export type ShownPlan = Omit<PullPlan, "directory">;
export type ShownDownload =
  | Exclude<PullEvent, { type: "plan" }>
  | ({ readonly type: "plan" } & ShownPlan);

export interface PullProgress extends Disposable {
  onEvent(event: ShownDownload): void;
  /** `undefined` before the plan is known. */
  readonly done: { readonly doneBytes: number; readonly totalBytes: number } | undefined;
}

/** Writes to stderr until it is disposed of. */
export function showPull(
  terminal: Terminal,
  {
    now = () => performance.now(),
    isResumed = false,
  }: {
    readonly now?: () => number;
    /** The plan and the files that are whole were told before. */
    readonly isResumed?: boolean;
  } = {},
): PullProgress {
  const tally = new Tally(now);
  const screen = terminal.stderr.isTTY ? new Bars(terminal, tally) : new Lines(terminal, tally);
  const timer = setInterval(() => screen.redraw(), redrawEveryMs);
  let knowsPlan = isResumed;
  return {
    onEvent: (event) => {
      tally.add(event);
      const text = event.type === "plan" && knowsPlan ? undefined : describeEvent(event);
      knowsPlan = false;
      if (text !== undefined) screen.say(text);
      screen.changed(event);
    },
    get done() {
      return tally.plan === undefined ? undefined : tally.totals();
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      screen.end();
    },
  };
}

/** What is known of a download, added up. */
class Tally {
  plan: ShownPlan | undefined;
  readonly #done = new Map<string, number>();
  readonly #sizes = new Map<string, number>();
  readonly #meter = new RateMeter();
  readonly #now: () => number;
  #doneBytes = 0;
  #totalBytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(event: ShownDownload): void {
    if (event.type === "plan") {
      this.plan = event;
      for (const { path, sizeBytes, hereBytes } of event.files) {
        this.#sizes.set(path, sizeBytes);
        this.#totalBytes += sizeBytes;
        this.#set(path, hereBytes);
      }
    } else if (event.type === "file-progress") this.#set(event.path, event.doneBytes);
    else if (event.type === "file-ready") this.#set(event.path, this.sizeOf(event.path));
  }

  sizeOf(path: string): number {
    return this.#sizes.get(path) ?? 0;
  }

  doneOf(path: string): number {
    return this.#done.get(path) ?? 0;
  }

  totals(): { doneBytes: number; totalBytes: number } {
    return { doneBytes: this.#doneBytes, totalBytes: this.#totalBytes };
  }

  /** `3.2 of 21.3 GB, 95.2 MB/s, 3 min left` */
  describe(): string {
    const { doneBytes, totalBytes } = this.totals();
    this.#meter.add(doneBytes, this.#now());
    const rate = this.#meter.rate();
    const amount = `${showBytes(doneBytes)} of ${showBytes(totalBytes)}`;
    if (rate === undefined) return amount;
    if (rate <= 0) return `${amount}, nothing comes`;
    const left = showDuration((totalBytes - doneBytes) / rate);
    return `${amount}, ${showBytes(rate)}/s, ${left} left`;
  }

  #set(path: string, doneBytes: number): void {
    this.#doneBytes += doneBytes - this.doneOf(path);
    this.#done.set(path, doneBytes);
  }
}

interface Screen {
  say(text: string): void;
  changed(event: ShownDownload): void;
  redraw(): void;
  end(): void;
}

class Lines implements Screen {
  readonly #terminal: Terminal;
  readonly #tally: Tally;
  #nextLineMs = lineEveryMs;
  #sinceMs = 0;

  constructor(terminal: Terminal, tally: Tally) {
    this.#terminal = terminal;
    this.#tally = tally;
  }

  say(text: string): void {
    this.#terminal.stderr.write(`${text}\n`);
  }

  changed(event: ShownDownload): void {
    if (event.type !== "file-ready") return;
    const sizeBytes = this.#tally.sizeOf(event.path);
    if (sizeBytes >= notableBytes)
      this.say(`${safe(event.path)}: ${showBytes(sizeBytes)}, verified`);
  }

  redraw(): void {
    if (this.#tally.plan === undefined) return;
    const text = this.#tally.describe();
    this.#sinceMs += redrawEveryMs;
    if (this.#sinceMs < this.#nextLineMs) return;
    this.#nextLineMs += lineEveryMs;
    this.say(text);
  }

  end(): void {
    // Lines stay as they are.
  }
}

class Bars implements Screen {
  readonly #bars: MultiBar;
  readonly #tally: Tally;
  readonly #files = new Map<string, SingleBar>();
  #all: SingleBar | undefined;

  constructor(terminal: Terminal, tally: Tally) {
    this.#tally = tally;
    this.#bars = new MultiBar({
      stream: terminal.stderr,
      format: "{name} {bar} {percentage} %  {text}",
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      // Ctrl-C is ours.
      gracefulExit: false,
      autopadding: true,
      fps: 8,
      emptyOnZero: true,
    });
  }

  say(text: string): void {
    this.#bars.log(`${text}\n`);
    this.#bars.update();
  }

  changed(event: ShownDownload): void {
    if (event.type === "plan") {
      const { totalBytes, doneBytes } = this.#tally.totals();
      this.#all = this.#bars.create(totalBytes, doneBytes, { name: pad("in all"), text: "" });
    } else if (event.type === "file-progress" || event.type === "file-verifying") {
      const bar = this.#barOf(event.path);
      const text = event.type === "file-verifying" ? "comparing the checksum" : undefined;
      const sizeBytes = this.#tally.sizeOf(event.path);
      bar?.update(this.#tally.doneOf(event.path), { text: text ?? showBytes(sizeBytes) });
    } else if (event.type === "file-ready") {
      const bar = this.#files.get(event.path);
      if (bar === undefined) return;
      this.#bars.remove(bar);
      this.#files.delete(event.path);
    }
  }

  redraw(): void {
    if (this.#tally.plan === undefined) return;
    this.#all?.update(this.#tally.totals().doneBytes, { text: this.#tally.describe() });
  }

  end(): void {
    this.redraw();
    this.#bars.stop();
  }

  /** Small files are gone before anybody could read their name. */
  #barOf(path: string): SingleBar | undefined {
    const known = this.#files.get(path);
    const sizeBytes = this.#tally.sizeOf(path);
    if (known !== undefined || sizeBytes < notableBytes) return known;
    const payload = { name: pad(safe(path)), text: showBytes(sizeBytes) };
    const bar = this.#bars.create(sizeBytes, this.#tally.doneOf(path), payload);
    this.#files.set(path, bar);
    return bar;
  }
}

/** @returns `undefined` for what bars and sums show already */
export function describeEvent(event: ShownDownload): string | undefined {
  switch (event.type) {
    case "hub-skipped":
      return `${event.reason} Trying ${event.next}.`;
    case "plan":
      return describePlan(event);
    case "file-waiting":
      return `${safe(event.path)} is being downloaded by another program; waiting for it.`;
    case "retry": {
      const where = event.path === undefined ? "" : `${safe(event.path)}: `;
      const wait = event.waitMs < 1_000 ? "now" : `in ${showDuration(event.waitMs / 1_000)}`;
      return `${where}${event.reason}; trying again ${wait}.`;
    }
    case "file-progress":
    case "file-verifying":
    case "file-ready":
      return undefined;
    default:
      return event satisfies never;
  }
}

function describePlan(plan: ShownPlan): string {
  const totalBytes = sum(plan.files.map(({ sizeBytes }) => sizeBytes));
  const hereBytes = sum(plan.files.map(({ hereBytes: here }) => here));
  const revision = /^[0-9a-f]{40}$/.test(plan.commit)
    ? `commit ${plan.commit.slice(0, 12)}`
    : safe(plan.commit);
  const count = plan.files.length === 1 ? "1 file" : `${plan.files.length} files`;
  const lines = [`${plan.repo} from ${plan.host}, ${revision}: ${count}, ${showBytes(totalBytes)}`];
  if (plan.licence !== undefined) {
    const { name, link, note } = plan.licence;
    lines.push(`Licence: ${safe(name)}, ${safe(link)}. By downloading you accept it.`);
    if (note !== undefined) lines.push(note);
  }
  if (hereBytes > 0 && hereBytes < totalBytes) {
    lines.push(
      `${showBytes(hereBytes)} are here already, ${showBytes(totalBytes - hereBytes)} to come.`,
    );
  } else if (hereBytes === totalBytes) lines.push("All of it is here already.");
  return lines.join("\n");
}

/** A hub's words, which must not steer the terminal. */
function safe(text: string): string {
  return text.replace(/\p{C}/gu, "?");
}

function pad(name: string): string {
  const short = name.length <= nameWidth ? name : `…${name.slice(1 - nameWidth)}`;
  return short.padEnd(nameWidth);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
