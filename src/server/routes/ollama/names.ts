/** Ollama's names for what runs here. */
import { PlatformError } from "../../../base/errors.ts";
import type { RestingModels } from "../../../supervisor/resting-models.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { GeneratingServices } from "../../answer.ts";

/** What the routes of this dialect need. */
export type OllamaServices = GeneratingServices & {
  readonly supervisor: Supervisor;
  readonly resting: RestingModels;
};

/**
 * The model that a body names, under `model` or, as older clients have it, `name`.
 *
 * @throws PlatformError `invalid_request`
 */
export function nameIn(body: {
  readonly model?: string | null | undefined;
  readonly name?: string | null | undefined;
}): string {
  const name = body.model ?? body.name ?? "";
  if (name !== "") return name;
  throw new PlatformError(
    "invalid_request",
    '"model" is missing; it must be the name of a model.',
    {
      details: { param: "model" },
    },
  );
}

/** Every name has a tag: `demo` is `demo:latest`. */
export function withTag(name: string): string {
  return name.includes(":") ? name : `${name}:latest`;
}
