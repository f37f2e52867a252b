/** What happens in a launch → a line on the wire. Pure. Directories of this machine stay here. */
import type { DownloadLine, LaunchLine } from "@atalaya/protocol";
import type { LaunchEvent } from "../../../supervisor/launch-log.ts";
import { withoutDirectories } from "../../error-reply.ts";

export function toLaunchLine(event: LaunchEvent): LaunchLine {
  if (event.type === "download") return toDownloadLine(event.event);
  const { stage, fraction, totalBytes } = event;
  return { type: "stage", stage, fraction: fraction ?? null, total_bytes: totalBytes ?? null };
}

type DownloadEvent = Extract<LaunchEvent, { type: "download" }>["event"];

function toDownloadLine(event: DownloadEvent): DownloadLine {
  switch (event.type) {
    case "plan": {
      const { type, hub, host, repo, commit, licence, files } = event;
      return {
        type,
        hub,
        host,
        repo,
        commit,
        licence:
          licence === undefined
            ? null
            : { name: licence.name, link: licence.link, note: licence.note ?? null },
        files: files.map(({ path, sizeBytes, hereBytes }) => ({
          path,
          size_bytes: sizeBytes,
          here_bytes: hereBytes,
        })),
      };
    }
    case "file-progress":
      return { type: event.type, path: event.path, done_bytes: event.doneBytes };
    case "retry":
      return {
        type: event.type,
        path: event.path ?? null,
        reason: withoutDirectories(event.reason),
        wait_ms: event.waitMs,
      };
    case "hub-skipped":
    case "file-verifying":
    case "file-ready":
    case "file-waiting":
      return event;
    default:
      return event satisfies never;
  }
}
