/**
 * Which models exist: the families we ship, and those that were registered on this machine.
 *
 * Registrations are small files, one a model, under the platform's home. They are read each time, so
 * a running server sees what the command line has registered meanwhile.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { checkModelName, type ParsedFamily, parseFamily, toFamilyJson } from "./family-file.ts";
import type { ModelFamily, ModelSpec } from "./model-family.ts";
import { checkModelPath } from "./model-path.ts";

export type RegistryParts = {
  /** JSON files of the families we ship. */
  readonly builtinDirectory: string;
  /** Where registrations are kept; `undefined`: there are none, and none can be made. */
  readonly registrationsDirectory: string | undefined;
  /** Directories that registered checkpoints may lie in, absolute. */
  readonly modelRoots: readonly string[];
};

/** A family, and the one spec of it that was named, when one was. */
export type KnownModel = { readonly family: ModelFamily; readonly spec?: ModelSpec };

/** The largest registration anybody needs is a few kilobytes. */
const maxFamilyBytes = 256 * 1024;

export class Registry {
  readonly #parts: RegistryParts;
  #builtin: Promise<readonly ModelFamily[]> | undefined;
  /** Registrations that end with this process, by name. */
  readonly #transient = new Map<string, ModelFamily>();

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  /**
   * Every family: ours first, then registrations by name.
   *
   * @throws PlatformError `invalid_request` when a registration's file was damaged
   */
  async list(): Promise<readonly ModelFamily[]> {
    const names = await this.#registeredNames();
    const registered = await Promise.all(names.map((name) => this.#registered(name)));
    return [...(await this.#builtinFamilies()), ...registered];
  }

  /** Names of every family, without reading registrations. */
  async names(): Promise<readonly string[]> {
    const builtin = (await this.#builtinFamilies()).map(({ modelName }) => modelName);
    return [...builtin, ...(await this.#registeredNames())];
  }

  /**
   * @param name of a family, in any case, or the id of one of our models on a hub
   * @returns the family, and the one spec that a hub's id means
   * @throws PlatformError `model_not_found` with the names there are and the nearest
   */
  async find(name: string): Promise<KnownModel> {
    const found = await this.seek(name);
    if (found === undefined) throw await this.#noSuchModel(name);
    return found;
  }

  /** As `find`, for whoever can do without. */
  async seek(name: string): Promise<KnownModel | undefined> {
    const plain = name.toLowerCase();
    const builtin = await this.#builtinFamilies();
    const family = builtin.find(({ modelName }) => modelName.toLowerCase() === plain);
    if (family !== undefined) return { family };
    const registered = (await this.#registeredNames()).find(
      (other) => other.toLowerCase() === plain,
    );
    if (registered !== undefined) return { family: await this.#registered(registered) };
    for (const candidate of builtin) {
      const spec = candidate.specs.find((one) => hasId(one, plain));
      if (spec !== undefined) return { family: candidate, spec };
    }
    return undefined;
  }

  /**
   * Keep a family under its name.
   *
   * @param options.persist `false` forgets it when this process ends
   * @returns the family as kept, its directories resolved
   * @throws PlatformError `model_already_registered`, and what `checkModelPath` says
   */
  async register(family: ModelFamily, { persist = true } = {}): Promise<ModelFamily> {
    const { registrationsDirectory } = this.#parts;
    if (registrationsDirectory === undefined) throw new Error("nothing can be registered here");
    checkModelName(family.modelName);
    const taken = (await this.names()).find(
      (name) => name.toLowerCase() === family.modelName.toLowerCase(),
    );
    if (taken !== undefined) throw alreadyRegistered(taken);
    const specs = await Promise.all(
      family.specs.map(async (spec) => ({
        ...spec,
        directory:
          spec.directory === undefined ? undefined : await this.checkDirectory(spec.directory),
      })),
    );
    const kept = { ...family, isBuiltin: false, specs };
    if (!persist) {
      this.#transient.set(family.modelName, kept);
      return kept;
    }
    await mkdir(registrationsDirectory, { recursive: true, mode: 0o700 });
    await writeNew(
      this.#pathOf(family.modelName),
      `${JSON.stringify(toFamilyJson(kept), undefined, 2)}\n`,
    );
    return kept;
  }

  /** @throws PlatformError `model_not_found`; `forbidden` for a family that we ship */
  async unregister(name: string): Promise<void> {
    const builtin = await this.#builtinFamilies();
    if (builtin.some(({ modelName }) => modelName.toLowerCase() === name.toLowerCase())) {
      throw new PlatformError(
        "forbidden",
        `${name} comes with Atalaya and cannot be unregistered. Leave it be: it takes no space until it is launched.`,
      );
    }
    const names = await this.#registeredNames();
    const found = names.find((other) => other.toLowerCase() === name.toLowerCase());
    if (found === undefined) {
      throw new PlatformError(
        "model_not_found",
        names.length === 0
          ? `No model is registered as ${quoted(name)}; none is registered at all. See atalaya registrations.`
          : `No model is registered as ${quoted(name)}. Registered: ${names.join(", ")}.${didYouMean(name, names)}`,
        { details: { param: "model_name" } },
      );
    }
    if (!this.#transient.delete(found)) await rm(this.#pathOf(found));
  }

  /** @throws PlatformError what `checkModelPath` says */
  async checkDirectory(directory: string): Promise<string> {
    return await checkModelPath(directory, this.#parts.modelRoots);
  }

  /**
   * The directory of a registered spec, checked again: it may have been exchanged since.
   *
   * @throws PlatformError what `checkModelPath` says
   */
  async openDirectory(directory: string): Promise<string> {
    const real = await this.checkDirectory(directory);
    if (real === directory) return real;
    throw new PlatformError(
      "forbidden",
      `${directory} has become a link since it was registered. Register it again from ${real} if that is right.`,
    );
  }

  async #builtinFamilies(): Promise<readonly ModelFamily[]> {
    this.#builtin ??= readBuiltin(this.#parts.builtinDirectory);
    return await this.#builtin;
  }

  async #registeredNames(): Promise<string[]> {
    return [...(await this.#keptNames()), ...this.#transient.keys()].toSorted((a, b) =>
      a.toLowerCase().localeCompare(b.toLowerCase(), "en"),
    );
  }

  async #keptNames(): Promise<string[]> {
    const { registrationsDirectory } = this.#parts;
    if (registrationsDirectory === undefined) return [];
    const files = await readdir(registrationsDirectory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return files
      .filter((file) => file.endsWith(".json") && !file.startsWith("."))
      .map((file) => file.slice(0, -".json".length));
  }

  async #registered(name: string): Promise<ModelFamily> {
    return this.#transient.get(name) ?? (await this.#read(name));
  }

  async #read(name: string): Promise<ModelFamily> {
    const path = this.#pathOf(name);
    try {
      return parseFamilyText(await readFile(path, "utf8"), { isBuiltin: false }).family;
    } catch (cause) {
      throw new PlatformError(
        "invalid_request",
        `The registration of ${name} in ${path} cannot be read. Remove the file, and register the model again.`,
        { cause },
      );
    }
  }

  #pathOf(name: string): string {
    return join(this.#parts.registrationsDirectory ?? "", `${name}.json`);
  }

  async #noSuchModel(name: string): Promise<PlatformError> {
    const names = ["demo", ...(await this.names())];
    return new PlatformError(
      "model_not_found",
      `There is no model ${quoted(name)}; there are ${names.join(", ")}.${didYouMean(name, names) || " Name one of them, or the directory of a checkpoint."}`,
      { details: { param: "model_name" } },
    );
  }
}

/**
 * @param text of a JSON file
 * @throws PlatformError `invalid_request`
 */
export function parseFamilyText(text: string, options: { isBuiltin: boolean }): ParsedFamily {
  if (text.length > maxFamilyBytes) {
    throw new PlatformError(
      "invalid_request",
      `The registration has ${text.length} characters, and at most ${maxFamilyBytes} are read. Keep to the fields that the model needs.`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 80) : "unreadable";
    throw new PlatformError(
      "invalid_request",
      `The registration is no JSON (${reason}). Write it as an object with "model_name" and "model_specs".`,
      { cause },
    );
  }
  return parseFamily(json, options);
}

async function readBuiltin(directory: string): Promise<readonly ModelFamily[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".json"));
  const families = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(directory, file), "utf8");
      return parseFamilyText(text, { isBuiltin: true }).family;
    }),
  );
  return families.toSorted((a, b) => (a.modelName < b.modelName ? -1 : 1));
}

const hasId = (spec: ModelSpec, id: string): boolean =>
  spec.sources.some(({ modelId, aliases }) =>
    [modelId, ...aliases].some((known) => known.toLowerCase() === id),
  );

/** A whole file or none, and never over another: whoever links first has the name. */
async function writeNew(path: string, text: string): Promise<void> {
  const draft = join(path, "..", `.${randomUUID()}`);
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await link(draft, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw alreadyRegistered(path.replace(/^.*[\\/]|\.json$/g, ""));
    }
    throw error;
  } finally {
    await file.close().catch(() => undefined);
    await rm(draft, { force: true });
  }
}

function alreadyRegistered(name: string): PlatformError {
  return new PlatformError(
    "model_already_registered",
    `There is a model ${name} already. Choose another name, or remove it first: atalaya unregister ${name}`,
    { details: { param: "model_name" } },
  );
}

/** What was sent as a name may be a page of text, or steer the terminal. */
function quoted(name: string): string {
  return /^[\w.:/@+-]{1,100}$/.test(name) ? `"${name}"` : "of that name";
}
