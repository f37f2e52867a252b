/** What happened to a model → Xinference's records, in its words where it has some. Pure. */
import type { ModelEventRecord } from "@atalaya/protocol";
import type { StoredEvent } from "../../../state/event-log.ts";
import { withoutDirectories } from "../../error-reply.ts";

/** @param events the latest first; of them the oldest comes out first */
export function toEventRecords(events: readonly StoredEvent[]): ModelEventRecord[] {
  return events.toReversed().map((event) => ({
    event_type: levelOf(event),
    event_ts: Math.floor(event.at.getTime() / 1_000),
    event_content: withoutDirectories(textOf(event)),
  }));
}

function levelOf({ type }: StoredEvent): ModelEventRecord["event_type"] {
  if (type === "model-failed") return "ERROR";
  return type === "worker-ended" ? "WARNING" : "INFO";
}

function textOf({ type, details }: StoredEvent): string {
  const shown = (name: string): string => {
    const value = details[name];
    return typeof value === "string" || typeof value === "number" ? `${value}` : "unknown";
  };
  switch (type) {
    case "model-launched":
      return "Launch model";
    case "model-loaded":
      return `Model is ready after ${(Number(details["loadMs"]) / 1_000).toFixed(1)} s`;
    case "model-failed":
      return `Launch failed: ${shown("message")}`;
    case "worker-ended": {
      const how =
        details["exitSignal"] === null ? `exit code ${shown("exitCode")}` : shown("exitSignal");
      return `The process of replica ${shown("replica")} ended unexpectedly (${how})`;
    }
    case "replicas-changed":
      return `Replica ${shown("replica")} was ${shown("what")}; there are ${shown("count")}`;
    case "model-terminated":
      return details["reason"] === "resting"
        ? "Model was freed until it is asked again"
        : "Terminate model";
    default:
      return type;
  }
}
