/** Models that can be launched by name: listed, told of, made known and forgotten. */
import {
  type DetailedRegistration,
  type RegistrationRecord,
  RegistrationRequest,
  type RegistrationSpec,
  RegistrationsQuery,
  type VersionRecord,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { ModelFamily, ModelSpec } from "../../../registry/model-family.ts";
import { modelVersion } from "../../../supervisor/model-version.ts";
import type { App } from "../../http.ts";
import { listIgnored } from "../../known-fields.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { inXinferencesWords, shownName } from "./errors.ts";
import { checkWorker } from "./launch-fields.ts";
import { sendNull } from "./models.ts";
import type { XinferenceParts, XinferenceServices } from "./services.ts";

type OfType = { Params: { type: string } };
type OfName = { Params: { type: string; name: string } };

export function registrations(app: App, { xinference }: XinferenceParts): void {
  const { registry, register, cache, countGpus } = xinference;
  app.get<OfType>(
    "/v1/model_registrations/:type",
    async ({ params, query }): Promise<RegistrationRecord[]> => {
      const { detailed } = parse(RegistrationsQuery, query);
      // Of other kinds there are none, which is no error.
      if (!isOurs(params.type)) return [];
      const families = (await registry.list()).toSorted((a, b) =>
        a.modelName.toLowerCase().localeCompare(b.modelName.toLowerCase(), "en"),
      );
      return detailed
        ? await Promise.all(families.map((family) => toDetailed(family, cache)))
        : families.map(({ modelName, isBuiltin }) => ({
            model_name: modelName,
            is_builtin: isBuiltin,
          }));
    },
  );

  app.get<OfName>("/v1/model_registrations/:type/:name", async ({ params: { type, name } }) => {
    requireOurs(type);
    const { family } = await registry.find(name).catch((error: unknown) => {
      throw inXinferencesWords(error, `Model ${shownName(name)} not found.`);
    });
    return await toDetailed(family, cache);
  });

  app.post<OfType>("/v1/model_registrations/:type", async ({ params: { type }, body }, reply) => {
    requireOurs(type);
    const { model, persist, worker_ip: worker } = parse(RegistrationRequest, body);
    if (worker != null) {
      checkWorker(worker, { numGpus: await countGpus(), address: addressOf(app) });
    }
    const { unused } = await register(model, { persist: persist === true });
    listIgnored(reply, unused);
    return await sendNull(reply);
  });

  app.delete<OfName>(
    "/v1/model_registrations/:type/:name",
    async ({ params: { type, name } }, reply) => {
      requireOurs(type);
      await registry.unregister(name);
      return await sendNull(reply);
    },
  );

  app.get<{ Params: { name: string } }>(
    "/v1/models/LLM/:name/versions",
    async ({ params: { name } }): Promise<VersionRecord[]> => {
      const known = await registry.seek(name);
      if (known === undefined) return [];
      const { modelName, specs } = known.family;
      const versions = await cache.list();
      const rows = specs.flatMap((spec) =>
        spec.quantizations.map(async (quantization): Promise<VersionRecord> => {
          const { format, size } = spec;
          const version = modelVersion({ modelName, size, format, quantization });
          const directory =
            spec.directory ?? versions.find((one) => one.version === version)?.directory;
          return {
            model_version: version,
            model_file_location: directory === undefined ? null : { [addressOf(app)]: directory },
            cache_status: await cache.has(spec),
            quantization,
            multimodal_projector: null,
            model_format: format,
            model_size_in_billions: size,
          };
        }),
      );
      return await Promise.all(rows);
    },
  );
}

const isOurs = (type: string): boolean => type.toLowerCase() === "llm";

/** @throws PlatformError `invalid_request` */
function requireOurs(type: string): void {
  if (isOurs(type)) return;
  throw new PlatformError(
    "invalid_request",
    `Unsupported model type: ${shownName(type)}. This server runs Llama 3.2 Vision, which is an LLM.`,
    { details: { param: "model_type" } },
  );
}

async function toDetailed(
  family: ModelFamily,
  cache: XinferenceServices["cache"],
): Promise<DetailedRegistration> {
  const hubs = family.specs.flatMap(({ sources }) => sources.map(({ hub }) => hub));
  return {
    version: 2,
    model_name: family.modelName,
    is_builtin: family.isBuiltin,
    model_description: family.description,
    context_length: family.contextLength,
    model_lang: family.languages,
    model_ability: family.abilities,
    model_family: family.basedOn ?? family.modelName,
    architectures: ["MllamaForConditionalGeneration"],
    model_type: "mllama",
    download_hubs: [...new Set(hubs)],
    model_specs: (await Promise.all(family.specs.map((spec) => toSpecs(spec, cache)))).flat(),
  };
}

/** One entry for each place and quantization. */
async function toSpecs(
  spec: ModelSpec,
  cache: XinferenceServices["cache"],
): Promise<RegistrationSpec[]> {
  const isCached = await cache.has(spec);
  const places =
    spec.sources.length === 0
      ? [{ hub: null, modelId: null, revision: null }]
      : spec.sources.map(({ hub, modelId, revision = null }) => ({ hub, modelId, revision }));
  return places.flatMap(({ hub, modelId, revision }) =>
    spec.quantizations.map((quantization) => ({
      model_format: spec.format,
      model_size_in_billions: spec.size,
      quantization,
      model_hub: hub,
      model_id: modelId,
      model_revision: revision,
      model_uri: spec.directory ?? null,
      multimodal_projectors: null,
      cache_status: isCached,
    })),
  );
}
