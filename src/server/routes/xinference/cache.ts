/** Files that the hubs left on this machine, by the registry's names; and Python environments, of which Xinference has many. */
import { type CachedModelRecord, CacheFilesQuery, CacheQuery } from "@atalaya/protocol";
import type { App } from "../../http.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { checkWorker } from "./launch-fields.ts";
import type { XinferenceParts } from "./services.ts";

export function cache(app: App, { xinference: { cache: files } }: XinferenceParts): void {
  const checkMachine = (worker: string | undefined): void => {
    if (worker !== undefined && worker !== "") {
      checkWorker(worker, { numGpus: 0, address: addressOf(app) });
    }
  };

  app.get("/v1/cache/models", async ({ query }): Promise<{ list: CachedModelRecord[] }> => {
    const { model_name: name, worker_ip: worker } = parse(CacheQuery, query);
    checkMachine(worker);
    const list = (await files.list())
      .filter(({ modelName }) => name === undefined || name === "" || modelName === name)
      .map(({ modelName, size, format, quantization, version, directory }) => ({
        model_name: modelName,
        model_size_in_billions: size ?? null,
        model_format: format,
        quantization,
        model_version: version,
        path: directory,
        real_path: directory,
        actor_ip_address: addressOf(app),
      }));
    return { list };
  });

  app.get("/v1/cache/models/files", async ({ query }) => {
    const { model_version: version, worker_ip: worker } = parse(CacheFilesQuery, query);
    checkMachine(worker);
    return {
      model_version: version,
      worker_ip: addressOf(app),
      paths: await files.files(version),
    };
  });

  app.delete("/v1/cache/models", async ({ query }) => {
    const { model_version: version, worker_ip: worker } = parse(CacheFilesQuery, query);
    checkMachine(worker);
    return { result: await files.remove(version) };
  });

  // Engines' environments are made and kept by the server itself, per engine and not per model.
  app.get("/v1/virtualenvs", () => ({ list: [] }));
  app.delete("/v1/virtualenvs", () => ({ result: false }));
}
