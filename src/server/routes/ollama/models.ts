/**
 * Which models there are, in Ollama's words: `GET /api/tags`, `GET /api/ps`, `POST /api/show`,
 * `POST /api/copy`, `POST /api/pull`, `DELETE /api/delete`.
 *
 * There is no store of blobs behind them: a model is a checkpoint directory that was launched. What
 * follows from that is refused with a sentence.
 */
import { OllamaCopyRequest, type OllamaModel, OllamaNameRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import { readCheckpointFacts } from "../../../supervisor/checkpoint-facts.ts";
import type { ModelInstance } from "../../../supervisor/instance.ts";
import type { App } from "../../http.ts";
import { checkFields, listIgnored } from "../../known-fields.ts";
import { mayAsk, refuseOtherModels } from "../../models-of-others.ts";
import { sendLines } from "../../ndjson.ts";
import { parse } from "../../parse.ts";
import { ollamaErrors, toOllamaError } from "./errors.ts";
import { pullHints, showHints, unsupportedByShow } from "./fields.ts";
import { nameIn, type OllamaServices, withTag } from "./names.ts";
import { toOllamaModel, toRunningModel, toShown } from "./to-models.ts";

/** A model that answers to a name, now or when it is named. */
type PresentModel = {
  readonly uid: string;
  readonly modelName: string;
  readonly directory: string;
};

export function listAndManage(app: App, services: OllamaServices): void {
  const { supervisor, resting, log } = services;
  const options = { errorHandler: ollamaErrors(log) };

  app.get("/api/tags", options, async ({ principal }) => {
    const present = presentModels(services).filter(({ uid }) => mayAsk(uid, principal));
    const aliased = [...supervisor.aliases()].flatMap(([alias, uid]) => {
      const model = present.find((candidate) => candidate.uid === uid);
      return model === undefined ? [] : [{ ...model, uid: alias }];
    });
    return {
      models: await readable(
        [...present, ...aliased].map(async ({ uid, directory }) =>
          toOllamaModel(withTag(uid), await readCheckpointFacts(directory)),
        ),
      ),
    };
  });

  app.get("/api/ps", options, async ({ principal }) => ({
    models: await readable(
      supervisor.list().flatMap((instance) =>
        instance.state === "ready" && mayAsk(instance.uid, principal)
          ? [
              readCheckpointFacts(instance.directory).then((facts) =>
                toRunningModel(withTag(instance.uid), facts, {
                  contextLength: instance.engine.model.contextLength,
                  restsAt: resting.restsAt(instance.uid),
                }),
              ),
            ]
          : [],
      ),
    ),
  }));

  app.post("/api/show", options, async (request, reply) => {
    const body = parse(OllamaNameRequest, request.body);
    const known = ["model", "name"];
    listIgnored(
      reply,
      checkFields(body, { known, unsupported: unsupportedByShow, hints: showHints }),
    );
    const name = nameIn(body);
    // First, so that of a model that it may not ask nobody learns how it is.
    const meant = supervisor.find(name) ?? resting.find(name);
    if (meant !== undefined) refuseOtherModels(meant.uid, request.principal);
    const { uid, directory } = present(name, services);
    const instance = supervisor.find(uid);
    const facts = await readCheckpointFacts(directory);
    return toShown(facts, instance?.state === "ready" ? instance : undefined);
  });

  app.post("/api/copy", options, async (request, reply) => {
    const { source, destination, ...others } = parse(OllamaCopyRequest, request.body);
    listIgnored(reply, checkFields(others, { known: [] }));
    const { uid } = present(source, services);
    const alias = destination.replace(/:latest$/, "");
    const taken = presentModels(services).some((model) => model.uid === alias);
    if (taken) {
      throw new PlatformError(
        "model_already_launched",
        `There is a model "${alias}" already. Choose another "destination".`,
        { details: { param: "destination" } },
      );
    }
    supervisor.addAlias(alias, uid);
    return await reply.code(200).send();
  });

  app.delete("/api/delete", options, async (request, reply) => {
    const body = parse(OllamaNameRequest, request.body);
    listIgnored(reply, checkFields(body, { known: ["model", "name"] }));
    const name = nameIn(body);
    if (supervisor.removeAlias(name.replace(/:latest$/, ""))) return await reply.code(200).send();
    const { uid } = present(name, services);
    throw new PlatformError(
      "forbidden",
      `The files of "${uid}" were put on this machine by somebody, not by this server, so it does not delete them. To free its memory, send "keep_alive": 0, or DELETE /v1/models/${uid}.`,
      { details: { param: "model" } },
    );
  });

  app.post("/api/pull", options, async (request, reply) => {
    const body = parse(OllamaNameRequest, request.body);
    const known = Object.keys(OllamaNameRequest.shape);
    listIgnored(reply, checkFields(body, { known, hints: pullHints }));
    await makePresent(nameIn(body), services);
    const status = { status: "success" };
    if (body.stream === false) return status;
    return sendLines(reply, once(status), (error) => toOllamaError(error, log));
  });
}

/** Those whose files can still be read. */
async function readable(models: readonly Promise<OllamaModel>[]): Promise<OllamaModel[]> {
  const settled = await Promise.allSettled(models);
  return settled.flatMap((model) => (model.status === "fulfilled" ? [model.value] : []));
}

/** Running ones first, in the order of their launch. */
function presentModels({ supervisor, resting }: OllamaServices): readonly PresentModel[] {
  return [...supervisor.list().filter(isUsable), ...resting.list()];
}

/** One whose files are still being downloaded has nothing to show. */
function isUsable(instance: ModelInstance): instance is ModelInstance & PresentModel {
  const { state, directory } = instance;
  return (state === "ready" || state === "starting") && directory !== undefined;
}

/** @throws PlatformError `model_not_found` */
function present(name: string, services: OllamaServices): PresentModel {
  const { supervisor, resting } = services;
  const running = supervisor.find(name);
  if (running !== undefined && isUsable(running)) return running;
  const rested = resting.find(name);
  if (rested !== undefined) return rested;
  const { uid, modelName, directory } = supervisor.get(name);
  if (directory !== undefined) return { uid, modelName, directory };
  throw new PlatformError(
    "model_not_ready",
    `The files of "${uid}" are not here yet. Try again when it is ready.`,
    { details: { param: "model" } },
  );
}

/**
 * A model that is here already is all that a pull can ask for; the bundled one is launched.
 *
 * @throws PlatformError `model_not_found`, and what launching the bundled model says
 */
async function makePresent(name: string, services: OllamaServices): Promise<void> {
  const { supervisor, resting } = services;
  if (supervisor.find(name) !== undefined || resting.find(name) !== undefined) return;
  if (!/^demo(:latest)?$/.test(name)) {
    throw new PlatformError(
      "model_not_found",
      `${/^[\w./:-]{1,100}$/.test(name) ? `"${name}"` : "That model"} is not running here, and this route does not download models: fetch a checkpoint with atalaya pull OWNER/NAME, then launch it with atalaya launch OWNER/NAME.`,
      { details: { param: "model" } },
    );
  }
  await supervisor.launch({
    model: "demo",
    uid: "demo",
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    numThreads: undefined,
  });
  const instance = await supervisor.whenSettled("demo");
  if (instance.state === "failed") throw instance.error;
}

async function* once<Value>(value: Value): AsyncGenerator<Value, void> {
  yield value;
}
