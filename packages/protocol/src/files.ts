/** `/v1/files`: what clients send to be read later, and what batches make. */
import { z } from "zod";

/** What a file may be sent for. Others of OpenAI's are for things this server does not do. */
export const filePurposes = ["batch", "vision", "user_data"] as const;

/** The fields of the form beside the file; brackets are how OpenAI's clients write nested ones. */
export const FileUploadFields = z.looseObject({
  purpose: z.enum(filePurposes),
  "expires_after[anchor]": z.literal("created_at").optional(),
  "expires_after[seconds]": z.coerce.number().int().min(3_600).max(2_592_000).optional(),
});

export const ListFilesQuery = z.object({
  purpose: z.string().max(64).optional(),
  after: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  order: z.enum(["asc", "desc"]).default("desc"),
});

export type FileObject = {
  readonly id: string;
  readonly object: "file";
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly filename: string;
  readonly purpose: string;
  readonly status: "processed";
};

export type FileList = {
  readonly object: "list";
  readonly data: readonly FileObject[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
};

export type FileDeleted = { readonly id: string; readonly object: "file"; readonly deleted: true };
