/** What happens to models, told to whoever subscribed at the supervisor. */
import type { PlatformError } from "../base/errors.ts";
import type { WorkerEnd } from "../engines/engine.ts";
import type { ModelInstance } from "./instance.ts";
import type { LaunchOptions } from "./launch-options.ts";

/** Why a model goes: somebody asked, nobody used it, or the server ends. */
export type EndReason = "asked" | "resting" | "closing";

export type ModelChange = { readonly uid: string } & (
  | {
      readonly type: "model-launched";
      readonly instance: ModelInstance;
      readonly options: LaunchOptions;
    }
  | { readonly type: "model-loaded"; readonly loadMs: number }
  | { readonly type: "model-failed"; readonly error: PlatformError }
  | { readonly type: "model-answered" }
  | { readonly type: "worker-ended"; readonly replica: number; readonly end: WorkerEnd }
  | {
      readonly type: "replicas-changed";
      readonly replica: number;
      readonly what: "added" | "removed";
      /** As the model would be launched again. */
      readonly options: LaunchOptions;
    }
  | { readonly type: "model-terminated"; readonly reason: EndReason; readonly numCut: number }
);

/** Launches and terminations wait for what is returned; it must not reject. */
export type ModelListener = (change: ModelChange) => Promise<void> | void;
