/** The names that clients know this family by, and which of the running models they mean. Pure. */

type Named = {
  readonly uid: string;
  /** What was launched: the directory's own name. */
  readonly modelName: string;
};

type FamilyName = {
  readonly kind: "instruct" | "base";
  /** In billions; `undefined` when the name does not say. */
  readonly size: "11" | "90" | undefined;
};

/**
 * Hugging Face's `meta-llama/Llama-3.2-11B-Vision-Instruct`, Xinference's `llama-3.2-vision-instruct`,
 * Ollama's `llama3.2-vision`, `llama3.2-vision:11b` and `llama3.2-vision:11b-instruct`. A tag that
 * names a quantization names other weights than those, and is no such name.
 */
const familyName =
  /^(?:[^/]+\/)?llama(?<dash>-?)3\.2(?:-(?<inner>11|90)b)?-vision(?<instruct>-instruct)?(?::(?<outer>11|90)b(?:-instruct)?)?$/i;

/**
 * @param models in the order of their launch; of several that fit, an 11B, and of these the first
 * @returns the uid, or `undefined` when nothing has that name
 */
export function findByName<Model extends Named>(
  name: string,
  models: readonly Model[],
): Model | undefined {
  const bare = name.replace(/:latest$/i, "");
  const same = (other: string): boolean => other.toLowerCase() === bare.toLowerCase();
  return (
    models.find(({ uid }) => uid === name) ??
    models.find(({ uid }) => same(uid)) ??
    findInFamily(bare, models)
  );
}

function findInFamily<Model extends Named>(
  name: string,
  models: readonly Model[],
): Model | undefined {
  const wanted = parseFamilyName(name);
  if (wanted === undefined) return undefined;
  const fitting = models.flatMap((model) => {
    const family = parseFamilyName(model.modelName) ?? parseFamilyName(model.uid);
    const fits =
      family?.kind === wanted.kind &&
      (wanted.size === undefined || family.size === undefined || family.size === wanted.size);
    return fits ? [{ model, size: family.size }] : [];
  });
  return (fitting.find(({ size }) => size === "11") ?? fitting[0])?.model;
}

function parseFamilyName(name: string): FamilyName | undefined {
  const groups = familyName.exec(name)?.groups;
  if (groups === undefined) return undefined;
  const { dash, inner, instruct, outer } = groups;
  // Ollama's names, which have no first dash, always mean the instruct model.
  const kind = instruct !== undefined || dash === "" ? "instruct" : "base";
  const size = inner ?? outer;
  return { kind, size: size === "11" || size === "90" ? size : undefined };
}
