/** Reads the fixtures that `scripts/golden` makes; see its README for names and shapes. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RgbImage } from "../../src/base/rgb-image.ts";

const root = fileURLToPath(new URL("../golden/mllama/", import.meta.url));

export type GoldenProfile = {
  readonly file: string;
  readonly generatedIds: readonly number[];
  readonly smallestGap: number;
};

export type GoldenCase = {
  readonly model: string;
  readonly case: string;
  readonly promptIds: readonly number[];
  readonly pictures: readonly {
    readonly width: number;
    readonly height: number;
    readonly seed: number;
    readonly aspectRatioId: number;
    readonly tiles: number;
  }[];
  /** Row r, picture m: how many tiles, from the first, the row may see; empty without pictures. */
  readonly maskTiles: readonly (readonly number[])[];
  readonly turns?: readonly number[];
  readonly profiles: Readonly<Record<"ref" | "hf", GoldenProfile>>;
};

type Manifest = {
  readonly cases: readonly GoldenCase[];
  readonly fewSteps: readonly number[];
  readonly rope: Readonly<
    Record<
      string,
      {
        readonly file: string;
        readonly headSize: number;
        readonly ropeTheta: number;
        readonly ropeScaling: Readonly<Record<string, number | string>> | null;
        readonly positions: readonly number[];
      }
    >
  >;
};

export const manifest = JSON.parse(readFileSync(`${root}manifest.json`, "utf8")) as Manifest;

export function goldenCheckpoint(model: string): string {
  return `${root}${model}`;
}

export type GoldenTensor = { readonly data: Float32Array; readonly shape: readonly number[] };

/** The float32 tensors of a fixture; deliberately not our own safetensors reader. */
export function readGolden(file: string): ReadonlyMap<string, GoldenTensor> {
  return readFixture(root + file);
}

export function readFixture(path: string): ReadonlyMap<string, GoldenTensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header["__metadata__"];
  const start = bytes.byteOffset + 8 + headerLength;
  return new Map(
    Object.entries(header).flatMap(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) =>
        dtype === "F32"
          ? [
              [
                name,
                { shape, data: new Float32Array(bytes.buffer.slice(start + from, start + to)) },
              ],
            ]
          : [],
    ),
  );
}

export function goldenTensor(
  tensors: ReadonlyMap<string, GoldenTensor>,
  name: string,
): GoldenTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`the fixture has no ${name}`);
  return tensor;
}

/** `pictureFormula` of the manifest. */
export function goldenPicture(picture: {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
}): RgbImage {
  const { width, height, seed } = picture;
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        pixels[(y * width + x) * 3 + c] = (31 * x + 17 * y + 7 * c + seed) % 256;
  return { width, height, pixels };
}

/** Where the demo model lies, when it was built in. */
export function demoCheckpoint(): string | undefined {
  const directory = fileURLToPath(new URL("../../demo/checkpoint", import.meta.url));
  return existsSync(`${directory}/model.safetensors`) ? directory : undefined;
}
