/**
 * A GGUF file as a checkpoint directory: the small files written out, the weights a link to where they
 * lie. Everything behind it (tokenizer, template, engine) then knows directories only.
 *
 * It lies under `ATALAYA_HOME`, is named after what it was made from, and may be deleted at any time.
 */
import { createHash } from "node:crypto";
import {
  link,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import { openGguf } from "../formats/gguf.ts";
import { filesOfGguf, type OllamaParameters } from "../models/mllama/gguf-files.ts";

export type GgufSource = {
  /** Absolute path. */
  readonly model: string;
  /** Of Ollama's older form, the second file. */
  readonly projector?: string | undefined;
  /** Ollama's `params` layer, as parsed. */
  readonly parameters?: unknown;
};

/** Raised when the same source gives other small files. */
const FORM_VERSION = 1;

const Parameters = z.looseObject({
  temperature: z.number().min(0).max(2).optional().catch(undefined),
  top_p: z.number().gt(0).max(1).optional().catch(undefined),
  top_k: z.int().min(0).optional().catch(undefined),
  min_p: z.number().min(0).max(1).optional().catch(undefined),
  repeat_penalty: z.number().gt(0).max(10).optional().catch(undefined),
});

/**
 * @param home `ATALAYA_HOME`
 * @throws PlatformError `model_not_found`, `corrupt_model_file`, `cache_unusable`
 */
export async function directoryOfGguf(source: GgufSource, home: string): Promise<string> {
  const model = await realFile(source.model);
  const projector = source.projector === undefined ? undefined : await realFile(source.projector);
  const parameters: OllamaParameters = Parameters.catch({}).parse(source.parameters ?? {});
  const root = join(home, "gguf");
  const directory = join(root, await keyOf([model, projector], parameters));
  if ((await stat(join(directory, "config.json")).catch(() => undefined)) !== undefined) {
    return directory;
  }
  const opened = await openGguf(model);
  const files = filesOfGguf(
    opened,
    projector === undefined ? undefined : await openGguf(projector),
    parameters,
  );
  if (!files.has("config.json")) {
    throw new PlatformError(
      "corrupt_model_file",
      `${basename(model)} cannot be used: it has no config.json in it. Quantize the model again.`,
    );
  }
  const links = new Map([["model.gguf", model]]);
  if (projector !== undefined) links.set("projector.gguf", projector);
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await writeDirectory(directory, { root, files, links });
    return directory;
  } catch (error) {
    if (error instanceof PlatformError || !(error instanceof Error && "code" in error)) throw error;
    throw new PlatformError(
      "cache_unusable",
      `${root}, where what is read out of a GGUF file is kept, cannot be used (${String(error.code)}). See that it is yours to write and has room, or set ATALAYA_HOME to another directory.`,
      { cause: error },
    );
  }
}

/** All of it or nothing appears: it is written beside its place in `root`, and moved there when it is whole. */
async function writeDirectory(
  directory: string,
  {
    root,
    files,
    links,
  }: {
    readonly root: string;
    readonly files: ReadonlyMap<string, string>;
    /** Name → where it lies. */
    readonly links: ReadonlyMap<string, string>;
  },
): Promise<void> {
  const unfinished = await mkdtemp(join(root, ".new-"));
  try {
    for (const [name, text] of files) {
      await writeFile(join(unfinished, name), text, { flush: true });
    }
    for (const [name, target] of links) await linkFile(target, join(unfinished, name));
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process was quicker.
    if (!isCode(error, "ENOTEMPTY") && !isCode(error, "EEXIST")) throw error;
  }
}

async function realFile(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  const info = real === undefined ? undefined : await stat(real);
  if (real !== undefined && info?.isFile() === true) return real;
  throw new PlatformError("model_not_found", `There is no file ${path}. Name a GGUF file.`, {
    details: { param: "model_path" },
  });
}

async function keyOf(
  files: readonly (string | undefined)[],
  parameters: OllamaParameters,
): Promise<string> {
  const hash = createHash("sha256").update(`${FORM_VERSION}\n${JSON.stringify(parameters)}\n`);
  for (const path of files) {
    if (path === undefined) continue;
    const { size, mtimeMs, ino } = await stat(path);
    hash.update(`${path}\0${size}\0${mtimeMs}\0${ino}\n`);
  }
  return hash.digest("hex").slice(0, 32);
}

/** Windows lets few people make links of the first kind. */
async function linkFile(target: string, path: string): Promise<void> {
  await symlink(target, path, "file").catch(async (error: unknown) => {
    if (!isCode(error, "EPERM")) throw error;
    await link(target, path);
  });
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;
