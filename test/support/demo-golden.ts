/** The demo model's goldens: its pictures and questions, and what the reference answers. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import type { RgbImage } from "../../src/base/rgb-image.ts";

export type DemoCase = {
  readonly case: string;
  readonly picture: string | null;
  readonly question: string;
  readonly promptIds: readonly number[];
  readonly profiles: Readonly<
    Record<
      "ref" | "hf",
      { readonly file: string; readonly generatedIds: readonly number[]; readonly text: string }
    >
  >;
};

export const demoGoldens = fileURLToPath(new URL("../golden/demo/", import.meta.url));

export const demoCases = (
  JSON.parse(readFileSync(`${demoGoldens}manifest.json`, "utf8")) as {
    readonly cases: readonly DemoCase[];
  }
).cases;

export function demoPictureFile(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../../demo/pictures/${name}`, import.meta.url)));
}

export async function demoPicture(name: string): Promise<RgbImage> {
  const { data, info } = await sharp(demoPictureFile(name)).removeAlpha().raw().toBuffer({
    resolveWithObject: true,
  });
  return { width: info.width, height: info.height, pixels: new Uint8Array(data) };
}
