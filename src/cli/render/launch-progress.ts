/**
 * How a launch goes: a bar for each stage where somebody watches, with speed and time left; elsewhere a
 * line a stage, or a line now and then while one takes long.
 */
import type { LaunchStage } from "../../platform.ts";
import { grey, note, type Terminal } from "../terminal.ts";
import { type PullProgress, type ShownDownload, showPull } from "./pull-progress.ts";
import { RateMeter, showBytes, showDuration } from "./quantities.ts";

export type ShownLaunch =
  | ({ readonly type: "stage" } & LaunchStage)
  | { readonly type: "download"; readonly event: ShownDownload };

export interface LaunchProgress extends Disposable {
  onEvent(event: ShownLaunch): void;
  /** Draw nothing until `resume`: somebody is asked something. */
  pause(): void;
  resume(): void;
}

const redrawEveryMs = 100;
/** Between two lines of one stage, where no terminal is. */
const lineEveryMs = 10_000;
const barWidth = 24;
const clearLine = "\r\u001b[K";

/** @param name of the model */
export function showLaunch(
  terminal: Terminal,
  name: string,
  {
    now = () => performance.now(),
    namesStages = false,
  }: {
    readonly now?: () => number;
    /** Whether a stage gets a line also where it is short and no terminal is. */
    readonly namesStages?: boolean;
  } = {},
): LaunchProgress {
  return new Progress(terminal, { name, now, namesStages });
}

class Progress implements LaunchProgress {
  readonly #terminal: Terminal;
  readonly #name: string;
  readonly #now: () => number;
  readonly #namesStages: boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #download: DownloadScreen;
  #stage: StageClock | undefined;
  /** The line that stands on the terminal. */
  #drawn: string | undefined;
  #isPaused = false;

  constructor(
    terminal: Terminal,
    {
      name,
      now,
      namesStages,
    }: { readonly name: string; readonly now: () => number; readonly namesStages: boolean },
  ) {
    this.#terminal = terminal;
    this.#name = name;
    this.#now = now;
    this.#namesStages = namesStages;
    this.#download = new DownloadScreen(terminal);
    this.#timer = setInterval(() => this.#draw(), redrawEveryMs);
  }

  onEvent(event: ShownLaunch): void {
    if (event.type === "download") {
      this.#clear();
      this.#download.onEvent(event.event);
      return;
    }
    if (event.stage === "downloading") {
      // Its own screen shows more.
      this.#stage = undefined;
      return;
    }
    if (this.#stage?.name !== event.stage) {
      this.#download.end();
      this.#stage = new StageClock(event, this.#now());
      if (this.#namesStages && !this.#terminal.stderr.isTTY) this.#say(`${capital(event.stage)}.`);
    }
    this.#stage.update(event, this.#now());
  }

  pause(): void {
    this.#isPaused = true;
    this.#clear();
    this.#download.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#download.resume();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#clear();
    this.#download.end();
  }

  #draw(): void {
    const stage = this.#stage;
    if (stage === undefined || this.#isPaused) return;
    const { stderr } = this.#terminal;
    if (stderr.isTTY) {
      const text = `${this.#name}: ${stage.describe()}`.slice(0, (stderr.columns || 80) - 1);
      if (text !== this.#drawn) stderr.write(`${clearLine}${text}`);
      this.#drawn = text;
    } else if (stage.isLineDue(this.#now())) this.#say(`${this.#name}: ${stage.describe()}`);
  }

  #clear(): void {
    if (this.#drawn !== undefined) this.#terminal.stderr.write(clearLine);
    this.#drawn = undefined;
  }

  #say(text: string): void {
    note(this.#terminal, grey(this.#terminal, text));
  }
}

/** The bars of a download, which come back after a pause as they were. */
class DownloadScreen {
  readonly #terminal: Terminal;
  /** Of what only the latest counts, the latest. */
  readonly #events = new Map<string, ShownDownload>();
  #shown: PullProgress | undefined;
  #startedAt = 0;
  #isPaused = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  onEvent(event: ShownDownload): void {
    if (event.type === "plan") {
      this.#events.clear();
      this.#startedAt = performance.now();
    }
    if ("path" in event && event.type !== "retry") this.#events.set(event.path ?? "", event);
    else if (event.type === "plan") this.#events.set("", event);
    if (this.#isPaused) return;
    this.#shown ??= showPull(this.#terminal);
    this.#shown.onEvent(event);
  }

  pause(): void {
    this.#isPaused = true;
    this.#shown?.[Symbol.dispose]();
    this.#shown = undefined;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#events.size === 0) return;
    this.#shown = showPull(this.#terminal, { isResumed: true });
    for (const event of this.#events.values()) this.#shown.onEvent(event);
  }

  /** Every file is here, or nothing more is shown of them. */
  end(): void {
    const { done } = this.#shown ?? {};
    this.#shown?.[Symbol.dispose]();
    this.#shown = undefined;
    const plan = this.#events.get("");
    this.#events.clear();
    if (plan?.type !== "plan" || done?.doneBytes !== done?.totalBytes) return;
    const hereBytes = plan.files.reduce((sum, file) => sum + file.hereBytes, 0);
    const receivedBytes = (done?.totalBytes ?? 0) - hereBytes;
    if (receivedBytes <= 0) return;
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    note(
      this.#terminal,
      `Downloaded ${showBytes(receivedBytes)} in ${showSeconds(seconds)}, all verified.`,
    );
  }
}

/** One stage: since when, how far, how fast. */
class StageClock {
  readonly name: string;
  readonly #meter = new RateMeter();
  #progress: LaunchStage;
  #nextLineAt: number;

  constructor(progress: LaunchStage, now: number) {
    this.name = progress.stage;
    this.#progress = progress;
    this.#nextLineAt = now + lineEveryMs;
  }

  update(progress: LaunchStage, now: number): void {
    this.#progress = progress;
    if (progress.fraction !== undefined) this.#meter.add(progress.fraction, now);
  }

  isLineDue(now: number): boolean {
    if (now < this.#nextLineAt) return false;
    this.#nextLineAt += lineEveryMs;
    return true;
  }

  /** `loading weights ██████░░░░░░ 43 %, 1.2 GB/s, 5 s left` */
  describe(): string {
    const { fraction, totalBytes } = this.#progress;
    if (fraction === undefined) return `${this.name} …`;
    const filled = Math.round(Math.min(1, fraction) * barWidth);
    const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
    const percent = `${Math.round(fraction * 100)} %`;
    const rate = this.#meter.rate();
    if (rate === undefined || rate <= 0) return `${this.name} ${bar} ${percent}`;
    const speed = totalBytes === undefined ? "" : `, ${showBytes(rate * totalBytes)}/s`;
    return `${this.name} ${bar} ${percent}${speed}, ${showDuration((1 - fraction) / rate)} left`;
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function showSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : showDuration(seconds);
}
