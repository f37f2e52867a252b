/**
 * Where a worker's file is, whether we run compiled (`.js`) or from source under a loader (`.ts`).
 *
 * Node 20 cannot run TypeScript by itself and worker threads do not inherit the loader, so from source
 * the worker is started through `tsx`, which is there whenever there is source.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export type WorkerEntry = {
  /** File URL of the worker's module. */
  readonly url: URL;
  readonly isSource: boolean;
};

/**
 * @param importer the caller's `import.meta.url`
 * @param name the worker's module beside the caller, without extension: `./decode-worker`
 */
export function workerEntry(importer: string, name: string): WorkerEntry {
  const isSource = importer.endsWith(".ts");
  return { url: new URL(`${name}${isSource ? ".ts" : ".js"}`, importer), isSource };
}

/** What `node` must be started with to run a worker as a process: its flags, then the file. */
export function processArguments(entry: WorkerEntry): string[] {
  const file = fileURLToPath(entry.url);
  return entry.isSource ? ["--import", tsxFile("dist/loader.mjs").href, file] : [file];
}

/** JavaScript that imports a worker's module, to be evaluated in a worker thread. */
export function threadScript(entry: WorkerEntry): string {
  const load = `import(${JSON.stringify(entry.url.href)})`;
  if (!entry.isSource) return load;
  const api = JSON.stringify(tsxFile("dist/esm/api/index.mjs").href);
  return `import(${api}).then(({ register }) => { register(); return ${load}; })`;
}

function tsxFile(path: string): URL {
  const manifest = createRequire(import.meta.url).resolve("tsx/package.json");
  return pathToFileURL(join(manifest, "..", path));
}
