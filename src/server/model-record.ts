/** A model instance → its row on the wire. */
import type { ModelRecord } from "@atalaya/protocol";
import type { PlatformError } from "../base/errors.ts";
import type { ModelInstance } from "../supervisor/instance.ts";
import { withoutDirectories } from "./error-reply.ts";

export function toModelRecord(instance: ModelInstance): ModelRecord {
  const { uid, modelName, size, engineKind, profile, launchedAt, state } = instance;
  const isReady = state === "ready";
  return {
    id: uid,
    object: "model",
    created: Math.floor(launchedAt.getTime() / 1_000),
    owned_by: "atalaya",
    model_type: "LLM",
    model_name: modelName,
    model_engine: engineKind,
    model_format: "pytorch",
    quantization: "none",
    model_size_in_billions: size ?? null,
    model_ability: isReady
      ? [instance.pipeline.tokenizer.hasChatTemplate ? "chat" : "generate", "vision"]
      : [],
    context_length: isReady ? instance.engine.model.contextLength : null,
    replica: 1,
    profile,
    state,
    ...stateDetails(instance),
  };
}

function stateDetails(instance: ModelInstance): Pick<ModelRecord, "progress" | "error"> {
  switch (instance.state) {
    case "starting": {
      const { stage, fraction } = instance.progress;
      return { progress: { stage, fraction: fraction ?? null } };
    }
    case "failed":
      return { error: shown(instance.error) };
    case "ready": {
      const problem = instance.engine.problem();
      return problem === undefined ? {} : { error: shown(problem) };
    }
    case "stopping":
      return {};
    default:
      return instance satisfies never;
  }
}

function shown({ code, message }: PlatformError): { code: string; message: string } {
  return { code, message: withoutDirectories(message) };
}
