/** A model instance → its row on the wire. */
import type { ModelRecord } from "@atalaya/protocol";
import type { PlatformError } from "../base/errors.ts";
import { defaultLanguages } from "../registry/model-family.ts";
import type { ModelInstance, ReadyInstance } from "../supervisor/instance.ts";
import { withoutDirectories } from "./error-reply.ts";

/** @param address of the server, `host:port` */
export function toModelRecord(instance: ModelInstance, address: string): ModelRecord {
  const { uid, modelName, size, profile, launchedAt, state, origin } = instance;
  const isReady = state === "ready";
  const [source] = origin?.spec.sources ?? [];
  return {
    id: uid,
    object: "model",
    created: Math.floor(launchedAt.getTime() / 1_000),
    owned_by: "atalaya",
    model_type: "LLM",
    model_name: modelName,
    model_engine: instance.engineName,
    model_format: instance.format,
    quantization: instance.quantization,
    ...(instance.source !== undefined && { model_source: instance.source }),
    model_size_in_billions: size ?? null,
    model_ability: isReady ? abilitiesOf(instance) : [],
    context_length: isReady ? instance.engine.model.contextLength : null,
    model_lang: origin?.family.languages ?? defaultLanguages,
    model_description: origin?.family.description ?? "",
    model_family: origin?.family.basedOn ?? modelName,
    model_hub: source?.hub ?? null,
    revision: source?.revision ?? null,
    address,
    accelerators: [],
    ...(isReady && placementOf(instance)),
    multimodal_projector: null,
    strict_system_first: false,
    replica: instance.replicas.list().length,
    profile,
    state,
    ...stateDetails(instance),
  };
}

/** Of the first replica; the others place themselves by what is free when they start. */
function placementOf({ engine }: ReadyInstance): Pick<ModelRecord, "placement"> {
  const { placement } = engine.model;
  if (placement === undefined) return {};
  return {
    placement: placement.map(({ device, name, numLayers, hasHead, hasTower, bytes }) => ({
      device,
      name,
      num_layers: numLayers,
      has_head: hasHead,
      has_tower: hasTower,
      bytes,
    })),
  };
}

/** What can be asked of it; functions of every chat model, but for those whose family says otherwise. */
function abilitiesOf({ pipeline, origin }: ReadyInstance): ModelRecord["model_ability"] {
  if (!pipeline.tokenizer.hasChatTemplate) return ["generate", "vision"];
  const takesTools = origin?.family.abilities.includes("tools") ?? true;
  return takesTools ? ["chat", "vision", "tools"] : ["chat", "vision"];
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
