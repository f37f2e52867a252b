/** Where a checkpoint keeps its chat template, and the tokens that templates call by name. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";

export type ChatTemplate = {
  /** Jinja source; `undefined` when the checkpoint has none, as base models have not. */
  readonly source: string | undefined;
  /** `bos_token`, `eos_token`, `pad_token` and `unk_token`, those that are set. */
  readonly namedTokens: Readonly<Record<string, string>>;
};

/** The longest released template has 5 KB; tokenizer_config.json lists every added token. */
const maxFileBytes = 4 * 1024 * 1024;

const Source = z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]);
const NamedToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();

const TemplateFile = z.looseObject({ chat_template: Source });
const TokenizerConfig = z.looseObject({
  chat_template: Source.nullish(),
  bos_token: NamedToken,
  eos_token: NamedToken,
  pad_token: NamedToken,
  unk_token: NamedToken,
});

/**
 * Read the template: `chat_template.jinja`, else `chat_template.json`, else `tokenizer_config.json`.
 * Of several named templates, the one called `default`.
 *
 * @throws PlatformError `corrupt_model_file`
 * @see transformers 5.18.0, `processing_utils.py`, `ProcessorMixin.get_processor_dict`
 */
export async function readChatTemplate(directory: string): Promise<ChatTemplate> {
  const config = await readJson(directory, "tokenizer_config.json", TokenizerConfig);
  const source =
    (await readText(directory, "chat_template.jinja")) ??
    defaultTemplate(
      (await readJson(directory, "chat_template.json", TemplateFile))?.chat_template,
    ) ??
    defaultTemplate(config?.chat_template);
  const names = ["bos_token", "eos_token", "pad_token", "unk_token"] as const;
  const namedTokens = names.flatMap((name) => {
    const token = config?.[name];
    if (token === null || token === undefined) return [];
    return [[name, typeof token === "string" ? token : token.content] as const];
  });
  return { source, namedTokens: Object.fromEntries(namedTokens) };
}

function defaultTemplate(source: z.infer<typeof Source> | null | undefined): string | undefined {
  if (typeof source === "string") return source;
  return (source?.find(({ name }) => name === "default") ?? source?.[0])?.template;
}

async function readJson<Schema extends z.ZodType>(
  directory: string,
  name: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const text = await readText(directory, name);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw corrupt(`${join(directory, name)} is not valid JSON.`);
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  throw corrupt(
    `${join(directory, name)} has no usable "${error.issues[0]?.path.join(".") ?? ""}".`,
  );
}

async function readText(directory: string, name: string): Promise<string | undefined> {
  const file = join(directory, name);
  const info = await stat(file).catch(() => undefined);
  if (info?.isFile() !== true) return undefined;
  if (info.size > maxFileBytes) {
    throw corrupt(
      `${file} has ${info.size.toLocaleString("en-US")} bytes; at most ${maxFileBytes.toLocaleString("en-US")} are read.`,
    );
  }
  return await readFile(file, "utf8");
}

function corrupt(problem: string): PlatformError {
  return new PlatformError("corrupt_model_file", `${problem} Fetch the checkpoint again.`);
}
