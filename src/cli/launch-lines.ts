/** A line of a server about a launch → what a person is shown of it. Pure. */
import type { LaunchLine } from "@atalaya/protocol";
import type { ShownLaunch } from "./render/launch-progress.ts";
import type { ShownDownload } from "./render/pull-progress.ts";

/** How a launch ended. */
export type LaunchEnd = Extract<LaunchLine, { type: "ready" | "failed" | "terminated" }>;

type UnderWay = Exclude<LaunchLine, LaunchEnd>;

export function isEnd(line: LaunchLine): line is LaunchEnd {
  return line.type === "ready" || line.type === "failed" || line.type === "terminated";
}

/** @returns `undefined` for a line of a newer server that this program does not know */
export function fromLaunchLine(line: UnderWay): ShownLaunch | undefined {
  if (line.type === "stage") {
    const { stage, fraction, total_bytes: totalBytes } = line;
    return {
      type: "stage",
      stage,
      fraction: fraction ?? undefined,
      totalBytes: totalBytes ?? undefined,
    };
  }
  const event = fromDownloadLine(line);
  return event === undefined ? undefined : { type: "download", event };
}

function fromDownloadLine(line: Exclude<UnderWay, { type: "stage" }>): ShownDownload | undefined {
  switch (line.type) {
    case "plan": {
      const { type, hub, host, repo, commit, licence } = line;
      const files = line.files.map(({ path, size_bytes: sizeBytes, here_bytes: hereBytes }) => ({
        path,
        sizeBytes,
        hereBytes,
      }));
      const shown = licence === null ? undefined : { ...licence, note: licence.note ?? undefined };
      return { type, hub, host, repo, commit, licence: shown, files };
    }
    case "file-progress":
      return { type: line.type, path: line.path, doneBytes: line.done_bytes };
    case "retry":
      return {
        type: line.type,
        path: line.path ?? undefined,
        reason: line.reason,
        waitMs: line.wait_ms,
      };
    case "hub-skipped":
    case "file-verifying":
    case "file-ready":
    case "file-waiting":
      return line;
    default:
      line satisfies never;
      return undefined;
  }
}
