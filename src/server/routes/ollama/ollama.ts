/** Ollama's API, for the apps that speak it: `OLLAMA_HOST` pointed here is all they need. */
import { PlatformError } from "../../../base/errors.ts";
import type { App } from "../../http.ts";
import { noEmbeddings } from "../openai/refusals.ts";
import { ollamaErrors } from "./errors.ts";
import { generateAndChat } from "./generate.ts";
import { listAndManage } from "./models.ts";
import type { OllamaServices } from "./names.ts";

/**
 * The version of Ollama whose API this is: clients compare it with what they need, digits only. The
 * last one that ran this model.
 */
const ollamaVersion = "0.24.0";

export function ollama(app: App, services: OllamaServices & { readonly version: string }): void {
  generateAndChat(app, services);
  listAndManage(app, services);
  const options = { errorHandler: ollamaErrors(services.log) };
  app.get("/api/version", options, () => ({ version: ollamaVersion, atalaya: services.version }));
  for (const path of ["/api/embed", "/api/embeddings"]) {
    app.post(path, options, async () => {
      throw new PlatformError("unsupported_operation", noEmbeddings);
    });
  }
}
