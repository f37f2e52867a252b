/** `/v1/files`: what clients send to be read later, and what batches make. */
import { z } from "zod";

/** What a file may be sent for. Others of OpenAI's are for things this server does not do. */
export const filePurposes = ["batch", "vision", "user_data"] as const;

/** The fields of the form beside the file; brackets are how OpenAI's clients write nested ones. */
export const FileUploadFields = z.looseObject({
  purpose: z
    .enum(filePurposes)
    .describe("What the file is for: requests of a batch, a picture, or anything of the caller's."),
  "expires_after[anchor]": z
    .literal("created_at")
    .optional()
    .describe("From when the seconds count: when the file was sent."),
  "expires_after[seconds]": z.coerce
    .number()
    .int()
    .min(3_600)
    .max(2_592_000)
    .optional()
    .describe("Deleted after so many seconds, an hour to 30 days. Kept when left out."),
});

export const ListFilesQuery = z.object({
  purpose: z.string().max(64).optional().describe("Only files of this purpose. All when left out."),
  after: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("Id of a file: only what comes behind it. From the first when left out."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1_000)
    .describe("How many at most. 1,000 when left out."),
  order: z
    .enum(["asc", "desc"])
    .default("desc")
    .describe("`desc`: the newest first; `asc`: the oldest first. `desc` when left out."),
});

export type FileObject = {
  /** Id of the file, `file-…`. */
  readonly id: string;
  /** Always `file`. */
  readonly object: "file";
  /** Its size in bytes. */
  readonly bytes: number;
  /** When it was sent, in seconds since 1970. */
  readonly created_at: number;
  /** When it is deleted, in seconds since 1970; `null`: it is kept. */
  readonly expires_at: number | null;
  /** The name it was sent with; it is only shown. */
  readonly filename: string;
  /** What it is for; `batch_output` of files that batches make. */
  readonly purpose: string;
  /** Always `processed`. */
  readonly status: "processed";
};

export type FileList = {
  /** Always `list`. */
  readonly object: "list";
  /** The files, in the order that was asked for. */
  readonly data: readonly FileObject[];
  /** Id of the first of them, or `null`. */
  readonly first_id: string | null;
  /** Id of the last of them, for `after`, or `null`. */
  readonly last_id: string | null;
  /** Whether there are more. */
  readonly has_more: boolean;
};

export type FileDeleted = {
  /** Id of the file that was deleted. */
  readonly id: string;
  /** Always `file`. */
  readonly object: "file";
  /** Always `true`. */
  readonly deleted: true;
};
