/** What happens to models → the event log. */
import type { Logger } from "../base/logger.ts";
import type { EventLog, NewEvent } from "../state/event-log.ts";
import type { ModelChange } from "./model-change.ts";
import type { Supervisor } from "./supervisor.ts";

export function recordEvents(
  supervisor: Supervisor,
  { events, log }: { readonly events: EventLog; readonly log: Logger },
): void {
  supervisor.subscribe(async (change) => {
    const event = toEvent(change);
    if (event === undefined) return;
    await events.add(event).catch((error: unknown) => {
      log.error({ modelUid: change.uid, err: error }, "event-not-kept");
    });
  });
}

/** `undefined`: nothing to remember. */
function toEvent(change: ModelChange): NewEvent | undefined {
  const { type, uid: subject } = change;
  switch (type) {
    case "model-answered":
      return undefined;
    case "model-launched": {
      const { modelName, engineKind, profile } = change.instance;
      return { type, subject, details: { modelName, engine: engineKind, profile } };
    }
    case "model-loaded":
      return { type, subject, details: { loadMs: change.loadMs } };
    case "model-failed":
      return {
        type,
        subject,
        details: { code: change.error.code, message: change.error.message },
      };
    case "worker-ended": {
      const { replica, end } = change;
      const { exitCode, exitSignal } = end;
      return { type, subject, details: { replica, exitCode, exitSignal } };
    }
    case "replicas-changed": {
      const { replica, what, options } = change;
      return { type, subject, details: { replica, what, count: options.replicas } };
    }
    case "model-terminated":
      return { type, subject, details: { reason: change.reason, numCut: change.numCut } };
    default:
      return change satisfies never;
  }
}
