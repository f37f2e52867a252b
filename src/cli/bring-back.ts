/** What a server starts again, and how it goes, told on the terminal. */
import type { ComebackEvent, KeptModel, Platform } from "../platform.ts";
import { note, type Terminal } from "./terminal.ts";

/**
 * @param named models of this command line, which are launched by it and not twice; when there are any,
 *   those of the last command line do not come back
 */
export async function modelsToBringBack(
  platform: Platform,
  named: readonly string[],
): Promise<readonly KeptModel[]> {
  if (named.length > 0) await platform.kept.forgetCommandLine();
  const models = await platform.whatStarts();
  return models.filter(({ options }) => !named.includes(options.model));
}

/** Never rejects: the server runs on without what does not come back. */
export async function bringBack(
  { kept }: Platform,
  models: readonly KeptModel[],
  { terminal, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal },
): Promise<void> {
  const running = models.filter(({ isResting }) => !isResting).map(({ uid }) => uid);
  if (running.length > 0) {
    note(
      terminal,
      models.some(({ retry }) => retry !== undefined)
        ? `Starting what was running, or is to start with the server: ${running.join(", ")}.`
        : `Starting again what was running: ${running.join(", ")}. (atalaya terminate UID ends one for good.)`,
    );
  }
  await kept
    .bringBack(models, { onEvent: (event) => note(terminal, sentenceFor(event)), signal })
    .catch((error: unknown) => note(terminal, `Not all came back: ${String(error)}`));
}

function sentenceFor(event: ComebackEvent): string {
  if (event.type === "ready") return `${event.uid} is ready (${event.seconds.toFixed(1)} s).`;
  const { uid, error, retryInMs } = event;
  const next =
    retryInMs === undefined
      ? "It is not tried again until the server restarts."
      : `Trying again in ${retryInMs / 1_000} s.`;
  return `${uid} did not start: ${error.message} ${next}`;
}
