/** The native engine's process. Started by `native-driver.ts`, ended with it. */
import { loadMllamaRunner } from "./mllama-runner.ts";
import { serveWorker } from "./serve-worker.ts";

await serveWorker(loadMllamaRunner);
