/** What is known of a checkpoint → Ollama's rows. Pure. */
import type { OllamaDetails, OllamaModel } from "@atalaya/protocol";
import type { CheckpointFacts } from "../../../supervisor/checkpoint-facts.ts";
import type { ReadyInstance } from "../../../supervisor/instance.ts";

/** What Ollama writes for a model that stays: clients parse it as a date. */
const never = "2318-01-01T00:00:00+00:00";

const dtypeNames: Readonly<Record<string, string>> = {
  bfloat16: "BF16",
  float16: "F16",
  float32: "F32",
};

export function toOllamaModel(name: string, facts: CheckpointFacts): OllamaModel {
  return {
    name,
    model: name,
    modified_at: withOffset(facts.modifiedAt),
    size: facts.sizeBytes,
    digest: facts.fingerprint,
    details: toDetails(facts),
  };
}

export function toRunningModel(
  name: string,
  facts: CheckpointFacts,
  running: { readonly contextLength: number; readonly restsAt: Date | undefined },
): OllamaModel {
  return {
    ...toOllamaModel(name, facts),
    expires_at: running.restsAt === undefined ? never : withOffset(running.restsAt),
    // The native engine computes on the processor.
    size_vram: 0,
    context_length: running.contextLength,
  };
}

/** @param running `undefined` while the model is not loaded: then less is known */
export function toShown(facts: CheckpointFacts, running: ReadyInstance | undefined): object {
  return {
    modelfile: "",
    parameters: running === undefined ? "" : toParameters(running),
    template: "",
    details: toDetails(facts),
    model_info: {
      "general.architecture": "mllama",
      "general.parameter_count": facts.numWeights ?? null,
      ...(running === undefined
        ? {}
        : {
            "mllama.context_length": running.engine.model.contextLength,
            "mllama.vocab_size": running.engine.model.vocabSize,
          }),
    },
    // Of one that is not loaded it is not known whether it chats; most do.
    capabilities: [
      "completion",
      "vision",
      ...(running?.pipeline.tokenizer.hasChatTemplate === false ? [] : ["tools"]),
    ],
    modified_at: withOffset(facts.modifiedAt),
    atalaya: {
      uid: running?.uid ?? null,
      has_chat_template: running?.pipeline.tokenizer.hasChatTemplate ?? null,
    },
  };
}

function toDetails({ numWeights, dtype }: CheckpointFacts): OllamaDetails {
  return {
    parent_model: "",
    format: "safetensors",
    family: "mllama",
    families: ["mllama"],
    parameter_size: numWeights === undefined ? "" : shortCount(numWeights),
    quantization_level: dtype === undefined ? "" : (dtypeNames[dtype] ?? dtype),
  };
}

/** The lines of a Modelfile: what a request starts from. */
function toParameters({ defaultSampling }: ReadyInstance): string {
  const { temperature, topK, topP, minP, repetitionPenalty } = defaultSampling;
  const lines = { temperature, top_k: topK, top_p: topP, min_p: minP };
  return Object.entries({ ...lines, repeat_penalty: repetitionPenalty })
    .map(([name, value]) => `${name.padEnd(30)} ${value}`)
    .join("\n");
}

function shortCount(count: number): string {
  const [size, unit] = count >= 1e9 ? [count / 1e9, "B"] : [count / 1e6, "M"];
  return `${size.toFixed(1)}${unit}`;
}

/** With an offset in digits: some readers do not know the letter Z. */
function withOffset(date: Date): string {
  return date.toISOString().replace("Z", "+00:00");
}
