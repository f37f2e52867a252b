/** Which engines can run a model of the registry on this machine, and what keeps the others from it. */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { type EngineMatch, matchEngines } from "../engines/catalog.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";

export type MatchWish = {
  readonly name: string;
  readonly engine?: string | undefined;
  readonly size?: number | string | undefined;
  readonly format?: string | undefined;
  readonly quantization?: string | undefined;
};

export type ModelMatch = {
  readonly modelName: string;
  readonly format: string;
  readonly size: number;
  readonly engine: EngineMatch;
};

/**
 * One row for each engine and spec that was asked for; without a wish, all of them.
 *
 * @throws PlatformError `model_not_found`, `invalid_request`, `engine_unavailable`
 */
export async function matchModel(
  registry: Registry,
  wish: MatchWish,
): Promise<readonly ModelMatch[]> {
  const named = splitSize(wish.name);
  const { family, spec } = await registry.find(named.name);
  const size = wish.size ?? named.size;
  const specs =
    spec !== undefined
      ? [spec]
      : size === undefined && wish.format === undefined
        ? family.specs
        : [selectSpec(family, { size, format: wish.format })];
  const rows = await Promise.all(
    specs.map(async (one) =>
      (await matchEngines(one.format)).map((engine) => ({
        modelName: family.modelName,
        format: one.format,
        size: one.size,
        engine: withQuantization(engine, wish.quantization),
      })),
    ),
  );
  return ofEngine(rows.flat(), wish.engine);
}

function ofEngine(rows: readonly ModelMatch[], name: string | undefined): readonly ModelMatch[] {
  if (name === undefined) return rows;
  const found = rows.filter(({ engine }) => engine.title.toLowerCase() === name.toLowerCase());
  if (found.length > 0) return found;
  const titles = [...new Set(rows.map(({ engine }) => engine.title))];
  throw new PlatformError(
    "engine_unavailable",
    `There is no engine ${JSON.stringify(name.slice(0, 40))}; there are ${titles.join(", ")}.${didYouMean(name, titles)}`,
    { details: { param: "model_engine" } },
  );
}

function withQuantization(engine: EngineMatch, quantization: string | undefined): EngineMatch {
  if (quantization === undefined || engine.obstacle !== undefined) return engine;
  if (engine.quantizations.includes(quantization.toLowerCase())) {
    return { ...engine, quantizations: [quantization.toLowerCase()] };
  }
  return {
    ...engine,
    obstacle: {
      reason: `The engine ${engine.title} does not make ${JSON.stringify(quantization.slice(0, 40))} of it.`,
      remedy: `Choose one of: ${engine.quantizations.join(", ")}.`,
    },
  };
}
