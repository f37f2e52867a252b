/**
 * The small files of a checkpoint (configuration, tokenizer, template, processor) out of a GGUF: as they
 * stand in a file of ours, or made from the metadata of one of Ollama's.
 */
import type { GgufFile } from "../../formats/gguf.ts";
import type { GgufValue } from "../../formats/gguf-types.ts";
import { configOfGguf, eosTokenIds, preprocessorOfGguf } from "./gguf-config.ts";
import { tokenizerOfGguf, tokenText } from "./gguf-tokenizer.ts";
import { originOfGguf } from "./gguf-weights.ts";

/** What a checkpoint may have beside its weights. Nothing else is ever taken out of a file. */
export const smallFiles = [
  "config.json",
  "generation_config.json",
  "preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.json",
  "chat_template.jinja",
] as const;

const FILE_KEY = "atalaya.file.";

/** Files by name → metadata of a GGUF of ours. */
export function metadataOfFiles(files: ReadonlyMap<string, string>): Map<string, GgufValue> {
  return new Map(
    [...files].map(([name, text]) => [FILE_KEY + name, { type: "string", value: text }]),
  );
}

/** What Ollama keeps beside a model; names as in its `params` layer. */
export type OllamaParameters = {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly repeat_penalty?: number | undefined;
};

/**
 * @returns texts by name, all of them of `smallFiles`
 * @throws PlatformError `corrupt_model_file`
 */
export function filesOfGguf(
  model: GgufFile,
  projector: GgufFile | undefined,
  parameters: OllamaParameters | undefined,
): ReadonlyMap<string, string> {
  if (originOfGguf(model, projector) === "ours") {
    return new Map(
      smallFiles.flatMap((name) => {
        const text = model.metadata.get(FILE_KEY + name)?.value;
        return typeof text === "string" ? [[name, text] as const] : [];
      }),
    );
  }
  const config = configOfGguf(model, projector) as { readonly image_token_index: number };
  const bos = tokenText(model.metadata, "tokenizer.ggml.bos_token_id");
  const eos = tokenText(model.metadata, "tokenizer.ggml.eos_token_id");
  const files: readonly (readonly [(typeof smallFiles)[number], unknown])[] = [
    ["config.json", config],
    ["generation_config.json", generationConfig(model, parameters)],
    ["preprocessor_config.json", preprocessorOfGguf(model, projector)],
    ["tokenizer.json", tokenizerOfGguf(model.metadata, config.image_token_index)],
    ["tokenizer_config.json", { bos_token: bos, eos_token: eos }],
  ];
  const texts = new Map<string, string>(
    files.map(([name, value]) => [name, `${JSON.stringify(value)}\n`]),
  );
  return isInstructed(model, bos) ? texts.set("chat_template.jinja", familyTemplate) : texts;
}

function generationConfig(model: GgufFile, parameters: OllamaParameters = {}): unknown {
  const { temperature, top_p, top_k, min_p, repeat_penalty } = parameters;
  const eos = eosTokenIds(model.metadata);
  const isSampled = temperature === undefined ? top_p !== undefined : temperature > 0;
  return {
    ...(eos.length > 0 && { eos_token_id: eos }),
    do_sample: isSampled,
    ...(isSampled && { temperature, top_p, top_k, min_p }),
    repetition_penalty: repeat_penalty,
  };
}

/** Base models end a text; the others end a turn. */
function isInstructed({ metadata }: GgufFile, bos: string | undefined): boolean {
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const turnEnd = tokens?.type === "array" ? tokens.value.indexOf("<|eot_id|>") : -1;
  return bos !== undefined && eosTokenIds(metadata).includes(turnEnd);
}

/**
 * The turns of this family, written for messages as our own rules arrange them: pictures first in their
 * turn, system text before the first question.
 */
const familyTemplate = [
  "{{- bos_token }}",
  "{%- for message in messages %}",
  "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}",
  "{%- if message['content'] is string %}",
  "{{- message['content'] | trim }}",
  "{%- else %}",
  "{%- for item in message['content'] %}",
  "{%- if item['type'] == 'image' %}{{- '<|image|>' }}",
  "{%- elif item['type'] == 'text' %}{{- item['text'] | trim }}{%- endif %}",
  "{%- endfor %}",
  "{%- endif %}",
  "{{- '<|eot_id|>' }}",
  "{%- endfor %}",
  "{%- if add_generation_prompt %}",
  "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}",
  "{%- endif %}",
  "",
].join("\n");
