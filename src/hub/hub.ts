/** The hubs and their caches, as one thing: pull, find, list, remove. */
import { homedir } from "node:os";
import { PlatformError } from "../base/errors.ts";
import {
  type CachedModel,
  findCached,
  listCached,
  planRemoval,
  type Removal,
} from "./cached-models.ts";
import { HuggingFaceCache } from "./caches/hugging-face-cache.ts";
import { ModelScopeCache } from "./caches/model-scope-cache.ts";
import type { Listing, RepoCache, Snapshot } from "./caches/repo-cache.ts";
import { HubHttp } from "./http.ts";
import { defaultLimits, type HubLimits } from "./limits.ts";
import { checkRepoId, checkRevision, parseRepoId, type RepoId, showRepo } from "./names.ts";
import { type Pulled, type PullOptions, pull } from "./pull.ts";
import { RemoteFiles } from "./remote-files.ts";
import { type HubName, type HubSettings, hubNames, readHubSettings } from "./settings.ts";
import { HuggingFaceSource } from "./sources/hugging-face.ts";
import { ModelScopeSource } from "./sources/model-scope.ts";
import type { HubSource } from "./sources/source.ts";
import type { VerifiedFiles } from "./verified-files.ts";

/** What one model is called on each hub that has it. */
export type RepoOnHubs = Partial<Record<HubName, RepoOnHub>>;

export type RepoOnHub = {
  /** `owner/name` */
  readonly repo: string;
  /** Names that it has or had beside, asked for when the hub does not know `repo`. */
  readonly aliases?: readonly string[] | undefined;
  /** The hub's own default branch when absent. */
  readonly revision: string | undefined;
};

export type HubPullOptions = Omit<PullOptions, "repo"> & {
  /** `owner/name`, the same on every hub, or its names where they differ. */
  readonly repo: string | RepoOnHubs;
  /** Which hub to ask. Without one: the environment's choice, else the first that can be reached. */
  readonly hub?: HubName | undefined;
};

type HubParts = {
  readonly version: string;
  readonly limits?: HubLimits;
  /** Told of every file whose checksum is right, so that nobody compares it once more. */
  readonly verified?: VerifiedFiles;
};

/** A hub at one of its addresses. */
type Place = { readonly hub: HubName; readonly endpoint: string };

export class Hub {
  readonly #settings: HubSettings;
  readonly #limits: HubLimits;
  readonly #userAgent: string;
  readonly #verified: VerifiedFiles | undefined;

  constructor(settings: HubSettings, { version, limits = defaultLimits, verified }: HubParts) {
    this.#settings = settings;
    this.#limits = limits;
    this.#userAgent = `atalaya/${version}`;
    this.#verified = verified;
  }

  /** @throws PlatformError `invalid_request`, naming the variable that cannot be used */
  static async fromEnvironment(env: NodeJS.ProcessEnv, options: HubParts): Promise<Hub> {
    return new Hub(await readHubSettings(env, homedir()), options);
  }

  /**
   * Download a revision of a repository; what is there is not fetched again.
   *
   * A hub that cannot be reached is passed over for the next one, unless one was named. One that
   * answers, whatever it says, is believed.
   *
   * @throws PlatformError, any of docs/reference/errors.md
   */
  async pull(options: HubPullOptions): Promise<Pulled> {
    return await this.#askFirstReachable(options, async (place, there, hasNext) => {
      return await this.#pullFrom(place, { ...options, ...there }, hasNext);
    });
  }

  /**
   * Look into files of a repository without downloading them. Hubs are chosen as by `pull`.
   *
   * @throws PlatformError as `pull`, and whatever `look` throws
   */
  async inspect<Value>(
    options: Pick<HubPullOptions, "repo" | "hub" | "revision" | "signal">,
    look: (files: RemoteFiles) => Promise<Value>,
  ): Promise<Value> {
    const target = { ...options, onEvent: () => undefined };
    return await this.#askFirstReachable(target, async (place, { repo, revision }) => {
      await using source = this.#openSource(place);
      const files = await RemoteFiles.list(source, {
        repo,
        revision,
        signal: options.signal,
        limits: { ...this.#limits, maxAttempts: Math.min(2, this.#limits.maxAttempts) },
      }).catch((error: unknown) => {
        throw isAbsent(error, place) ? new PassedOn(error) : error;
      });
      return await look(files);
    });
  }

  /**
   * What is on this machine of a repository, or `undefined`.
   *
   * @param repo `owner/name`; what is no such name is not there
   */
  async find(repo: string, revision?: string): Promise<Snapshot | undefined> {
    const id = parseRepoId(repo);
    return id === undefined ? undefined : await findCached(this.#settings, id, revision);
  }

  async list(): Promise<CachedModel[]> {
    return await listCached(this.#settings);
  }

  /** @throws PlatformError `invalid_request`, `model_not_found`, `model_not_ready` */
  async planRemoval(
    repo: string,
    options: { readonly hub: HubName | undefined; readonly revision: string | undefined },
  ): Promise<Removal> {
    return await planRemoval(this.#settings, checkRepoId(repo), {
      ...options,
      onRemoved: async (paths) => await this.#verified?.forget(paths),
    });
  }

  #refuseOffline(repo: RepoId): void {
    if (!this.#settings.isOffline) return;
    throw new PlatformError(
      "hub_unavailable",
      `HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set, so nothing is downloaded. Unset it to pull ${showRepo(repo)}.`,
    );
  }

  #sourcesFor(hub: HubName | undefined): Place[] {
    const named = hub ?? this.#settings.preferred;
    const hubs = named === undefined ? hubNames : [named];
    return hubs.flatMap((name) =>
      this.#settings[name].endpoints.map((endpoint) => ({ hub: name, endpoint })),
    );
  }

  /** @param ask throws PassedOn when the next place may be asked instead */
  async #askFirstReachable<Value>(
    options: Pick<HubPullOptions, "repo" | "hub" | "revision" | "onEvent">,
    ask: Ask<Value>,
  ): Promise<Value> {
    const { revision } = options;
    if (revision !== undefined) checkRevision(revision);
    const wanted = checkRepos(options.repo);
    const sources = this.#sourcesFor(options.hub).flatMap((place) => {
      const there = wanted[place.hub];
      return there === undefined ? [] : [{ place, there }];
    });
    const [firstSource] = sources;
    if (firstSource === undefined) throw notOnHub(wanted, options.hub ?? this.#settings.preferred);
    this.#refuseOffline(firstSource.there.repo);
    const failures: PlatformError[] = [];
    for (const [index, { place, there }] of sources.entries()) {
      const next = sources[index + 1]?.place;
      const named = { ...there, revision: revision ?? there.revision };
      try {
        return await askByAnyName(named, async (repo) => {
          return await ask(place, { repo, revision: named.revision }, next !== undefined);
        });
      } catch (error) {
        if (!(error instanceof PassedOn)) throw error;
        failures.push(error.cause);
        if (next === undefined) break;
        options.onEvent({ type: "hub-skipped", reason: error.cause.message, next: next.endpoint });
      }
    }
    throw joinFailures(failures);
  }

  /** @throws PassedOn when the next place may be asked instead */
  async #pullFrom(place: Place, options: PullOptions, hasNext: boolean): Promise<Pulled> {
    let hasStarted = false;
    await using source = this.#openSource(place);
    try {
      return await pull(source, {
        openCache: (listing) => this.#openCache(place.hub, listing),
        limits: this.#limits,
        onVerified: async (path, digest) => await this.#verified?.remember(path, digest),
        ...(hasNext ? { maxListAttempts: Math.min(2, this.#limits.maxAttempts) } : {}),
        options: {
          ...options,
          onEvent: (event) => {
            hasStarted ||= event.type === "plan";
            options.onEvent(event);
          },
        },
      });
    } catch (error) {
      if (isAbsent(error, place) && !hasStarted) throw new PassedOn(error);
      throw error;
    }
  }

  #openSource({ hub, endpoint }: Place): HubSource {
    const { token } = this.#settings[hub];
    const http = new HubHttp({
      endpoint,
      credentials: credentialsOf(hub, token?.value),
      proxies: this.#settings.proxies,
      userAgent: this.#userAgent,
      limits: this.#limits,
    });
    return hub === "huggingface"
      ? new HuggingFaceSource(http, { endpoint, token })
      : new ModelScopeSource(http, { endpoint, token });
  }

  #openCache(hub: HubName, listing: Listing): RepoCache {
    const { cacheDirectory } = this.#settings[hub];
    return hub === "huggingface"
      ? new HuggingFaceCache(cacheDirectory, listing)
      : new ModelScopeCache(cacheDirectory, listing);
  }
}

type CheckedRepo = {
  readonly repo: RepoId;
  readonly aliases: readonly RepoId[];
  readonly revision: string | undefined;
};
type CheckedRepos = Partial<Record<HubName, CheckedRepo>>;

/** @throws PlatformError `invalid_request` */
function checkRepos(repo: string | RepoOnHubs): CheckedRepos {
  if (typeof repo === "string") {
    const everywhere = { repo: checkRepoId(repo), aliases: [], revision: undefined };
    return Object.fromEntries(hubNames.map((hub) => [hub, everywhere]));
  }
  return Object.fromEntries(
    hubNames.flatMap((hub) => {
      const there = repo[hub];
      if (there === undefined) return [];
      const { revision } = there;
      if (revision !== undefined) checkRevision(revision);
      const aliases = (there.aliases ?? []).map(checkRepoId);
      return [[hub, { repo: checkRepoId(there.repo), aliases, revision }]];
    }),
  );
}

function notOnHub(wanted: CheckedRepos, hub: HubName | undefined): PlatformError {
  const other = hubNames.find((name) => wanted[name] !== undefined);
  return new PlatformError(
    "model_not_found",
    `It is not known by which name ${hub ?? "any hub"} has this model.${other === undefined ? " Pull it by its owner/name." : ` Use --hub ${other}.`}`,
  );
}

function credentialsOf(hub: HubName, token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  const authorization = { authorization: `Bearer ${token}` };
  return hub === "huggingface"
    ? authorization
    : { ...authorization, cookie: `m_session_id=${token}` };
}

class PassedOn extends Error {
  override readonly name = "PassedOn";
  override readonly cause: PlatformError;

  constructor(cause: PlatformError) {
    super(cause.message);
    this.cause = cause;
  }
}

type Ask<Value> = (
  place: Place,
  there: { readonly repo: RepoId; readonly revision: string | undefined },
  hasNext: boolean,
) => Promise<Value>;

/**
 * A hub that does not know a repository by its name may know it by an older one.
 *
 * @throws what the hub said of the first name, when it knows none
 */
async function askByAnyName<Value>(
  { repo, aliases }: CheckedRepo,
  ask: (repo: RepoId) => Promise<Value>,
): Promise<Value> {
  let first: unknown;
  for (const name of [repo, ...aliases]) {
    try {
      return await ask(name);
    } catch (error) {
      if (causeOf(error)?.code !== "model_not_found") throw error;
      first ??= error;
    }
  }
  throw first;
}

/** Whether another hub, or another address of this one, may have what this one has not. */
function isAbsent(error: unknown, place: Place): error is PlatformError {
  return (
    error instanceof PlatformError &&
    (error.code === "hub_unavailable" ||
      // ModelScope has two sites with different models, and may stand in for a hub that is away.
      (error.code === "model_not_found" && place.hub === "modelscope"))
  );
}

/** The failure itself, passed on or not. */
function causeOf(error: unknown): PlatformError | undefined {
  if (error instanceof PassedOn) return error.cause;
  return error instanceof PlatformError ? error : undefined;
}

function joinFailures(failures: readonly PlatformError[]): PlatformError {
  const [first, ...others] = failures;
  if (first === undefined) throw new Error("no hub was asked");
  const message = [first, ...others].map((failure) => failure.message).join(" ");
  return new PlatformError(first.code, message, { cause: first });
}
