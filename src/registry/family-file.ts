/**
 * The JSON of a model family, in Xinference's form of both versions: our own specs, files that people
 * register, and what we keep of them.
 *
 * Version 1 has `quantizations` and one hub in each spec; version 2 has `quantization`, or `model_src`
 * with a source for each hub.
 *
 * @see Xinference 0.16.3 and 3.2.1 `model/llm/llm_family.py`
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import type { Hub, ModelAbility, ModelFamily, ModelSource, ModelSpec } from "./model-family.ts";

const MAX_SPECS = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const HUB_ID = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
/** A branch, a tag or a commit; never a path upwards or an address. */
const REVISION = /^[A-Za-z0-9][\w.-]{0,127}$/;

const hubs = ["huggingface", "modelscope"] as const satisfies readonly Hub[];
const abilities = [
  "chat",
  "generate",
  "vision",
  "tools",
] as const satisfies readonly ModelAbility[];
const formats = ["pytorch", "ggufv2"] as const;

const text = z.string().max(10_000);
const hubId = z.string().regex(HUB_ID, "a hub id looks like owner/name");
const revision = z.string().regex(REVISION, "a revision is a branch, a tag or a commit").nullish();
const quantizationName = z.string().regex(/^[\w.-]{1,40}$/);
const quantizationList = z.array(quantizationName).min(1).max(32);

const Source = z.looseObject({
  model_id: hubId,
  aliases: z.array(hubId).max(8).default([]),
  model_revision: revision,
  quantizations: quantizationList.default(["none"]),
});

const Spec = z.looseObject({
  model_format: z.string(),
  model_size_in_billions: z.union([z.number(), z.string()]),
  quantization: quantizationName.nullish(),
  quantizations: quantizationList.nullish(),
  model_id: hubId.nullish(),
  model_hub: z.string().nullish(),
  model_revision: revision,
  model_uri: z.string().max(4_096).nullish(),
  model_src: z.record(z.string(), Source).nullish(),
  config: z.unknown().optional(),
});

const Family = z.looseObject({
  version: z.union([z.literal(1), z.literal(2)]).default(1),
  model_name: z.string(),
  model_description: text.nullish(),
  context_length: z
    .int()
    .min(1)
    .max(1 << 22)
    .nullish(),
  model_lang: z
    .array(z.string().regex(/^[A-Za-z-]{2,16}$/))
    .max(256)
    .nullish(),
  model_ability: z.array(z.string().max(40)).max(16).nullish(),
  model_family: z.string().max(128).nullish(),
  licence: z
    .object({
      name: text,
      url: z.url(),
      acceptable_use_url: z.url(),
      gated: z.boolean(),
      eu_clause: text,
    })
    .optional(),
  model_specs: z.array(Spec).min(1).max(MAX_SPECS),
});
type Family = z.infer<typeof Family>;
type Spec = z.infer<typeof Spec>;

/** Of a registration that says nothing: what Meta's own has. */
const DEFAULT_CONTEXT_LENGTH = 131_072;

/** Fields that would change how a model answers; here its checkpoint decides. */
const decidedByCheckpoint = ["chat_template", "stop", "stop_token_ids"] as const;
/** Fields about Python environments and reasoning tags, which no engine of this version reads. */
const unread = ["virtualenv", "reasoning_start_tag", "reasoning_end_tag", "cache_config"] as const;

export type ParsedFamily = {
  readonly family: ModelFamily;
  /** Names of fields that say something and are not used. */
  readonly unused: readonly string[];
};

/**
 * @param json the parsed file
 * @throws PlatformError `invalid_request`, naming the field and what would do
 */
export function parseFamily(
  json: unknown,
  { isBuiltin }: { readonly isBuiltin: boolean },
): ParsedFamily {
  const { success, data, error } = Family.safeParse(json);
  if (!success) {
    const [issue] = error.issues;
    const path = issue?.path.join(".") ?? "";
    throw invalid(
      path === "" ? "it is no JSON object" : `its "${path}" is not usable (${issue?.message})`,
    );
  }
  checkModelName(data.model_name);
  const fields: Readonly<Record<string, unknown>> = data;
  return {
    family: {
      modelName: data.model_name,
      isBuiltin,
      description: data.model_description ?? "",
      contextLength: data.context_length ?? DEFAULT_CONTEXT_LENGTH,
      languages: data.model_lang ?? ["en"],
      abilities: (data.model_ability ?? ["generate"]).map((ability) =>
        oneOf(ability, abilities, "model_ability"),
      ),
      basedOn: data.model_family ?? undefined,
      licence: licenceOf(data),
      specs: data.model_specs.map(toSpec),
    },
    unused: [...decidedByCheckpoint, ...unread].filter((name) => says(fields[name])),
  };
}

/** A name becomes part of a file's name and of addresses. @throws PlatformError `invalid_request` */
export function checkModelName(name: string): void {
  if (NAME.test(name) && !name.includes("..")) return;
  throw new PlatformError(
    "invalid_request",
    `A model cannot be named ${JSON.stringify(name.slice(0, 60))}: use up to 128 letters, digits, dots, dashes and underscores, beginning with a letter or a digit.`,
    { details: { param: "model_name" } },
  );
}

/** `11`, `"11"`, `"0_5"` and `"1.8"`, as Xinference's users write sizes. @returns `undefined` for anything else */
export function parseSize(size: number | string): number | undefined {
  const value = typeof size === "number" ? size : Number(size.trim().replace("_", "."));
  return Number.isFinite(value) && value > 0 && value < 100_000 ? value : undefined;
}

/** What is kept of a registration: version 2, one spec a source. */
export function toFamilyJson(family: ModelFamily): unknown {
  return {
    version: 2,
    model_name: family.modelName,
    model_description: family.description,
    context_length: family.contextLength,
    model_lang: family.languages,
    model_ability: family.abilities,
    model_family: family.basedOn ?? null,
    model_specs: family.specs.map((spec): unknown => {
      const common = {
        model_format: spec.format,
        model_size_in_billions: spec.size,
        quantizations: spec.quantizations,
      };
      if (spec.directory !== undefined) {
        return { ...common, model_uri: pathToFileURL(spec.directory).href };
      }
      const sources = spec.sources.map(({ hub, modelId, revision: model_revision }) => [
        hub,
        { model_id: modelId, model_revision, quantizations: spec.quantizations },
      ]);
      return { ...common, model_src: Object.fromEntries(sources) };
    }),
  };
}

function toSpec(spec: Spec): ModelSpec {
  const size = parseSize(spec.model_size_in_billions);
  if (size === undefined) {
    throw invalid(
      `its "model_size_in_billions" is ${JSON.stringify(spec.model_size_in_billions).slice(0, 40)}; write a number such as 11, or "1_8" for 1.8`,
    );
  }
  const sources = sourcesOf(spec);
  const directory = spec.model_uri == null ? undefined : directoryOf(spec.model_uri);
  if (sources.length === 0 && directory === undefined) {
    throw invalid('a spec has neither "model_uri" nor "model_id": say where its files are');
  }
  return {
    format: oneOf(spec.model_format, formats, "model_format"),
    size,
    quantizations: quantizationsOf(spec),
    sources,
    directory,
    config: spec.config,
  };
}

function quantizationsOf(spec: Spec): readonly string[] {
  if (spec.quantizations != null) return spec.quantizations;
  if (spec.quantization != null) return [spec.quantization];
  const ofSources = Object.values(spec.model_src ?? {}).flatMap((source) => source.quantizations);
  return ofSources.length === 0 ? ["none"] : [...new Set(ofSources)];
}

function sourcesOf(spec: Spec): ModelSource[] {
  const listed = Object.entries(spec.model_src ?? {}).map(([hub, source]) => ({
    hub: oneOf(hub, hubs, "model_src"),
    modelId: source.model_id,
    aliases: source.aliases,
    revision: source.model_revision ?? undefined,
  }));
  if (spec.model_id == null) return listed;
  const hub = oneOf(spec.model_hub ?? "huggingface", hubs, "model_hub");
  const { model_id: modelId, model_revision: given } = spec;
  return [...listed, { hub, modelId, aliases: [], revision: given ?? undefined }];
}

/** Only files of this machine: an address in a registration must never make anybody fetch it. */
function directoryOf(uri: string): string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return uri;
  try {
    return fileURLToPath(uri);
  } catch {
    throw invalid(
      `its "model_uri" ${JSON.stringify(uri.slice(0, 60))} is no directory of this machine; write file:///path/of/the/checkpoint`,
    );
  }
}

function licenceOf({ licence }: Family): ModelFamily["licence"] {
  if (licence === undefined) return undefined;
  const { name, url, gated, acceptable_use_url: acceptableUseUrl, eu_clause: euClause } = licence;
  return { name, url, acceptableUseUrl, gated, euClause };
}

function oneOf<Word extends string>(word: string, words: readonly Word[], field: string): Word {
  const found = words.find((known) => known === word);
  if (found !== undefined) return found;
  throw invalid(
    `its "${field}" has ${JSON.stringify(word.slice(0, 40))}, and this version knows ${words.join(", ")}`,
  );
}

/** Whether a field asks for anything; empty environments and lists do not. */
function says(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object") {
    return Object.entries(value).some(
      ([key, inner]) => key !== "inherit_pip_config" && says(inner),
    );
  }
  return true;
}

function invalid(what: string): PlatformError {
  return new PlatformError("invalid_request", `The registration cannot be used: ${what}.`, {
    details: { param: "model" },
  });
}
