/** A launch from its beginning to its end, for whoever has nothing else to do meanwhile. */
import type { ReadyInstance } from "./instance.ts";
import type { LaunchEvent } from "./launch-log.ts";
import type { LaunchOptions } from "./launch-options.ts";
import type { Supervisor } from "./supervisor.ts";

/**
 * Launch, tell what happens, and wait until the model answers.
 *
 * @throws PlatformError when it fails, and what `signal` was aborted with; nothing is left running then
 */
export async function launchAndWait(
  supervisor: Supervisor,
  options: LaunchOptions,
  {
    signal,
    onStarted = () => undefined,
    onEvent = () => undefined,
  }: {
    readonly signal: AbortSignal;
    readonly onStarted?: (modelName: string) => void;
    readonly onEvent?: (event: LaunchEvent) => void;
  },
): Promise<ReadyInstance> {
  signal.throwIfAborted();
  const started = await supervisor.launch(options);
  const onAbort = (): void => {
    supervisor.terminate(started.uid).catch(() => undefined);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const settled = supervisor.whenSettled(started.uid);
    onStarted(started.modelName);
    for await (const event of supervisor.followLaunch(started.uid, signal)) onEvent(event);
    const instance = await settled;
    signal.throwIfAborted();
    if (instance.state === "failed") throw instance.error;
    if (instance.state !== "ready") throw new Error(`a settled model is ${instance.state}`);
    return instance;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
