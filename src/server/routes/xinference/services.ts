/** What Xinference's routes need. */
import type { Logger } from "../../../base/logger.ts";
import type { XinferenceEra } from "../../../config/settings.ts";
import type { Identity } from "../../../identity/identity.ts";
import type { Registry } from "../../../registry/registry.ts";
import type { EventLog } from "../../../state/event-log.ts";
import type { AutostartEntries } from "../../../supervisor/autostart-entries.ts";
import type { KeptModels } from "../../../supervisor/kept-models.ts";
import type { LaunchHistory } from "../../../supervisor/launch-history.ts";
import type { ModelCache } from "../../../supervisor/model-cache.ts";
import type { Registered } from "../../../supervisor/registration.ts";
import type { RestingModels } from "../../../supervisor/resting-models.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { RunningRequests } from "../../running-requests.ts";

/** A graphics card of this machine. */
export type Card = {
  readonly index: number;
  readonly name: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
};

/** Beside the models that run. */
export type XinferenceServices = {
  readonly registry: Registry;
  readonly cache: ModelCache;
  /** @throws PlatformError see `registration.ts` */
  readonly register: (text: string, options: { readonly persist: boolean }) => Promise<Registered>;
  /** Graphics cards of this machine. */
  readonly countGpus: () => Promise<number>;
  /** The same, with their memory; none where the driver does not answer. */
  readonly listCards: () => Promise<readonly Card[]>;
  readonly autostart: AutostartEntries;
  readonly history: LaunchHistory;
  readonly era: XinferenceEra;
  /** Ends the whole program, as Ctrl-C does; `undefined` where the server is a part of another. */
  readonly stop: (() => void) | undefined;
};

export type XinferenceParts = {
  readonly supervisor: Supervisor;
  readonly resting: RestingModels;
  readonly kept: KeptModels;
  readonly events: EventLog;
  readonly identity: Identity;
  readonly requests: RunningRequests;
  readonly xinference: XinferenceServices;
  readonly log: Logger;
  /** Of this program. */
  readonly version: string;
};
