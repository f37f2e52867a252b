/** `GET /v1/models/{uid}/launch`: how a launch goes, one JSON object a line, until it has ended. */
import type { ModelRecord } from "./models.ts";

/**
 * Any number of the others, then exactly one `ready`, `failed` or `terminated`. Whoever comes late gets
 * what still counts of what came before.
 */
export type LaunchLine =
  | {
      /** A stage goes on. */
      readonly type: "stage";
      /** `finding the files`, `downloading`, then the engine's own stages, and `warming up`. */
      readonly stage: string;
      /** Of the stage, 0 to 1; `null` when it cannot be told. */
      readonly fraction: number | null;
      /** What the fraction is of, where it is bytes; else `null`. */
      readonly total_bytes: number | null;
    }
  | DownloadLine
  | {
      /** The model answers; the last line. */
      readonly type: "ready";
      /** The model, as `GET /v1/models/{uid}` has it. */
      readonly model: ModelRecord;
    }
  | {
      /** The launch failed; the last line. */
      readonly type: "failed";
      /** Why. */
      readonly error: {
        /** Stable; see the table of errors. */
        readonly code: string;
        /** For a person: what happened, and what to do. */
        readonly message: string;
      };
    }
  | {
      /** The launch was given up; the last line. */
      readonly type: "terminated";
    };

/** Before the first byte of a file comes one `plan`, licence included. */
export type DownloadLine =
  | {
      /** What will be downloaded. */
      readonly type: "plan";
      /** Which hub it comes from. */
      readonly hub: "huggingface" | "modelscope";
      /** The host's name. */
      readonly host: string;
      /** Owner and name of the repository. */
      readonly repo: string;
      /** Which commit of it. */
      readonly commit: string;
      /** Under which licence, or `null`. */
      readonly licence: {
        /** Name of the licence. */
        readonly name: string;
        /** Where its text is. */
        readonly link: string;
        /** What to know of it, or `null`. */
        readonly note: string | null;
      } | null;
      /** The files, in their order. */
      readonly files: readonly {
        /** Path inside the repository. */
        readonly path: string;
        /** Its size in bytes. */
        readonly size_bytes: number;
        /** Bytes that are there already, whole or as the start of a download. */
        readonly here_bytes: number;
      }[];
    }
  | {
      /** A hub could not be used. */
      readonly type: "hub-skipped";
      /** Why it could not be used. */
      readonly reason: string;
      /** Which hub is tried next. */
      readonly next: string;
    }
  | {
      /** A file goes on. */
      readonly type: "file-progress";
      /** Path inside the repository. */
      readonly path: string;
      /** Bytes that are here. */
      readonly done_bytes: number;
    }
  | {
      /** A file is being checked. */
      readonly type: "file-verifying";
      /** Path inside the repository. */
      readonly path: string;
    }
  | {
      /** A file is here. */
      readonly type: "file-ready";
      /** Path inside the repository. */
      readonly path: string;
    }
  | {
      /** Another program downloads this file; it is waited for. */
      readonly type: "file-waiting";
      /** Path inside the repository. */
      readonly path: string;
    }
  | {
      /** A file is tried again. */
      readonly type: "retry";
      /** Path inside the repository; `null` when it is about no file. */
      readonly path: string | null;
      /** Why it is tried again. */
      readonly reason: string;
      /** Milliseconds until then. */
      readonly wait_ms: number;
    };
