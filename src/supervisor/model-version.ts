/** Xinference's name for one form of a model: `llama-3.2-vision--11B--pytorch--none`. Pure. */

export type ModelVersion = {
  readonly modelName: string;
  /** In billions. */
  readonly size: number | undefined;
  readonly format: string;
  readonly quantization: string;
};

export function modelVersion({ modelName, size, format, quantization }: ModelVersion): string {
  return [modelName, ...(size === undefined ? [] : [`${size}B`]), format, quantization].join("--");
}

/** @returns `undefined` for what is no such name */
export function parseModelVersion(version: string): ModelVersion | undefined {
  const groups =
    /^(?<modelName>.+?)(?:--(?<size>\d+(?:[._]\d+)?)B)?--(?<format>[\w.]+)--(?<quantization>[\w.-]+)$/.exec(
      version,
    )?.groups;
  if (groups === undefined) return undefined;
  const { modelName = "", size, format = "", quantization = "" } = groups;
  return {
    modelName,
    size: size === undefined ? undefined : Number(size.replace("_", ".")),
    format,
    quantization,
  };
}
