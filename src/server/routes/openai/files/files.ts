/** `/v1/files`: send a file, list, ask about one, read its bytes, delete it. */

import {
  type FileDeleted,
  type FileList,
  type FileObject,
  FileUploadFields,
  ListFilesQuery,
} from "@atalaya/protocol";
import multipart, { type Multipart } from "@fastify/multipart";
import type { FastifyReply, FastifyRequest } from "fastify";
import { PlatformError } from "../../../../base/errors.ts";
import type { Owner } from "../../../../base/viewer.ts";
import {
  defaultFileLimits,
  type FileStore,
  type StoredFile,
} from "../../../../files/file-store.ts";
import type { App } from "../../../http.ts";
import { checkFields, listIgnored } from "../../../known-fields.ts";
import { parse } from "../../../parse.ts";

type Params = { readonly Params: { readonly id: string } };

export function files(app: App, store: FileStore): void {
  // In a scope of its own: no other route takes forms.
  void app.register(async (scope) => {
    await scope.register(multipart, {
      limits: {
        fileSize: defaultFileLimits.maxFileBytes,
        files: 1,
        fields: 10,
        fieldNameSize: 100,
        fieldSize: 1_024,
        parts: 11,
        headerPairs: 20,
      },
    });
    scope.post("/v1/files", { config: { isStreamedBody: true } }, async (request, reply) =>
      toFileObject(await upload(request, reply, store)),
    );
  });

  app.get("/v1/files", async ({ query, viewer }): Promise<FileList> => {
    const { files: found, hasMore } = await store.list({
      ...parse(ListFilesQuery, query),
      viewer,
    });
    const data = found.map(toFileObject);
    return {
      object: "list",
      data,
      first_id: data.at(0)?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: hasMore,
    };
  });

  app.get<Params>("/v1/files/:id", async ({ params, viewer }) =>
    toFileObject(await store.get(params.id, viewer)),
  );

  app.delete<Params>("/v1/files/:id", async ({ params: { id }, viewer }): Promise<FileDeleted> => {
    await store.delete(id, viewer);
    return { id, object: "file", deleted: true };
  });

  app.get<Params>("/v1/files/:id/content", async ({ params, viewer }, reply) => {
    const { id, sizeBytes } = await store.get(params.id, viewer);
    // Whatever is in it, no browser shall show or run it as a page of ours.
    return await reply
      .type("application/octet-stream")
      .header("content-length", sizeBytes)
      .header("content-disposition", `attachment; filename="${id}"`)
      .header("x-content-type-options", "nosniff")
      .send(await store.read(id, viewer));
  });
}

/** @throws PlatformError `invalid_request`, `file_too_large`, `disk_full` */
async function upload(
  request: FastifyRequest,
  reply: FastifyReply,
  store: FileStore,
): Promise<StoredFile> {
  if (!request.isMultipart()) {
    throw invalid(
      'Send a form (multipart/form-data) with the fields "purpose" and "file".',
      "file",
    );
  }
  const fields: Record<string, string> = {};
  const parts = request.parts();
  try {
    for await (const part of parts) {
      if (part.type === "field") noteField(part, fields);
      else {
        const { owner } = request.viewer;
        const file = await keep(part, { parts, fields, store, owner });
        listIgnored(reply, checkFields(fields, { known: Object.keys(FileUploadFields.shape) }));
        return file;
      }
    }
  } catch (error) {
    throw formError(error);
  }
  throw invalid('The form has no file. Send it in the field "file".', "file");
}

async function keep(
  part: Extract<Multipart, { type: "file" }>,
  form: {
    readonly parts: AsyncIterableIterator<Multipart>;
    readonly fields: Record<string, string>;
    readonly store: FileStore;
    readonly owner: Owner;
  },
): Promise<StoredFile> {
  const { parts, fields, store, owner } = form;
  if (part.fieldname !== "file") {
    throw invalid(`The form has a file in a field of another name than "file".`, "file");
  }
  return await store.create({
    owner,
    bytes: part.file,
    filename: displayName(part.filename),
    // OpenAI's client for JavaScript sends the purpose behind the file.
    notes: async () => {
      for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
        if (next.value.type === "file") throw invalid("The form has more than one file.", "file");
        noteField(next.value, fields);
      }
      const settings = parse(FileUploadFields, fields);
      return {
        purpose: settings.purpose,
        expiresAfterSeconds: settings["expires_after[seconds]"],
      };
    },
  });
}

function noteField(
  { fieldname, value }: Extract<Multipart, { type: "field" }>,
  fields: Record<string, string>,
): void {
  if (typeof value === "string") fields[fieldname] = value;
}

/** For people to read: the last part of what was sent, without control characters. */
function displayName(filename: string | undefined): string {
  const last = (filename ?? "").split(/[/\\]/).at(-1) ?? "";
  const shown = last.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, 255);
  return shown === "" ? "file" : shown;
}

/** What the form's reader says → a sentence of ours. */
function formError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "FST_REQ_FILE_TOO_LARGE") {
    return new PlatformError(
      "file_too_large",
      `The file is larger than ${defaultFileLimits.maxFileBytes / 2 ** 20} MiB. Send it in parts.`,
      { details: { param: "file" } },
    );
  }
  if (/^FST_(PARTS|FILES|FIELDS)_LIMIT$/.test(code)) {
    return invalid("The form has too many parts. Send one file, and the fields of a file.", "file");
  }
  if (error instanceof PlatformError) return error;
  const isForm = code.startsWith("FST_") || /multipart|form|part|boundary/i.test(messageOf(error));
  return isForm ? invalid("The form is broken or cut off. Send it again, whole.", "file") : error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}

function toFileObject(file: StoredFile): FileObject {
  return {
    id: file.id,
    object: "file",
    bytes: file.sizeBytes,
    created_at: file.createdAt,
    expires_at: file.expiresAt ?? null,
    filename: file.filename,
    purpose: file.purpose,
    status: "processed",
  };
}

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
