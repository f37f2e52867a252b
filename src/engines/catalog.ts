/** Engines by name; each is loaded when it is first asked for. */
import { PlatformError } from "../base/errors.ts";
import type { EngineKind, EngineLoader } from "./engine.ts";

type EngineEntry = { readonly kind: EngineKind; readonly load: EngineLoader };

const engines: ReadonlyMap<string, EngineEntry> = new Map([
  [
    "native",
    {
      kind: "native",
      load: async (...args) =>
        await (await import("./native/native-driver.ts")).loadNativeEngine(...args),
    },
  ],
]);

/**
 * @param name in any case
 * @throws PlatformError `engine_unavailable` with the names there are
 */
export function findEngine(name: string): EngineEntry {
  const engine = engines.get(name.toLowerCase());
  if (engine === undefined) {
    throw new PlatformError(
      "engine_unavailable",
      `There is no engine "${name.slice(0, 40)}" in this version; there is: ${[...engines.keys()].join(", ")}.`,
    );
  }
  return engine;
}
