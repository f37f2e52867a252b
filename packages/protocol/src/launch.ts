/** `GET /v1/models/{uid}/launch`: how a launch goes, one JSON object a line, until it has ended. */
import type { ModelRecord } from "./models.ts";

/**
 * Any number of the others, then exactly one `ready`, `failed` or `terminated`. Whoever comes late gets
 * what still counts of what came before.
 */
export type LaunchLine =
  | {
      readonly type: "stage";
      /** `finding the files`, `downloading`, then the engine's own stages, and `warming up`. */
      readonly stage: string;
      /** Of the stage, 0 to 1; `null` when it cannot be told. */
      readonly fraction: number | null;
      /** What the fraction is of, where it is bytes. */
      readonly total_bytes: number | null;
    }
  | DownloadLine
  | { readonly type: "ready"; readonly model: ModelRecord }
  | { readonly type: "failed"; readonly error: { readonly code: string; readonly message: string } }
  | { readonly type: "terminated" };

/** Before the first byte of a file comes one `plan`, licence included. */
export type DownloadLine =
  | {
      readonly type: "plan";
      readonly hub: "huggingface" | "modelscope";
      readonly host: string;
      readonly repo: string;
      readonly commit: string;
      readonly licence: {
        readonly name: string;
        readonly link: string;
        readonly note: string | null;
      } | null;
      readonly files: readonly {
        readonly path: string;
        readonly size_bytes: number;
        /** There already, whole or as the start of a download. */
        readonly here_bytes: number;
      }[];
    }
  | { readonly type: "hub-skipped"; readonly reason: string; readonly next: string }
  | { readonly type: "file-progress"; readonly path: string; readonly done_bytes: number }
  | { readonly type: "file-verifying"; readonly path: string }
  | { readonly type: "file-ready"; readonly path: string }
  | { readonly type: "file-waiting"; readonly path: string }
  | {
      readonly type: "retry";
      readonly path: string | null;
      readonly reason: string;
      readonly wait_ms: number;
    };
