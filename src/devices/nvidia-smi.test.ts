import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { listGraphicsCards, parseGraphicsCards, visibleCards } from "./nvidia-smi.ts";

/** In the form of the driver's own tool, `--format=csv,noheader,nounits`. */
const twoCards = `0, GPU-5fd4f087-86f3-7a43-b711-4771313afc50, NVIDIA H100 80GB HBM3, 81559, 81007, 9.0, 550.54.15
1, GPU-0a1b2c3d-86f3-7a43-b711-4771313afc51, NVIDIA H100 80GB HBM3, 81559, 1024, 9.0, 550.54.15
`;

describe("what nvidia-smi prints", () => {
  test("is a card a line", () => {
    expect(parseGraphicsCards(twoCards)).toMatchObject([
      {
        index: 0,
        name: "NVIDIA H100 80GB HBM3",
        totalBytes: 81_559 * 2 ** 20,
        freeBytes: 81_007 * 2 ** 20,
        computeCapability: 9,
        driverVersion: "550.54.15",
      },
      { index: 1, freeBytes: 2 ** 30 },
    ]);
  });

  test("of an old driver lacks the capability", () => {
    const [card] = parseGraphicsCards("0, GPU-1, Tesla K80, 11441, 11400, [N/A], 450.80.02\n");
    expect(card).toMatchObject({ computeCapability: undefined, driverVersion: "450.80.02" });
  });

  test.each([
    "",
    "No devices were found\n",
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
    "0, GPU-1, Ghost, [N/A], [N/A], 8.0, 1\n",
    "\u0000\u0001,,,,,,,\n",
  ])("as %j is no card", (text) => {
    expect(parseGraphicsCards(text)).toEqual([]);
  });
});

test.each([
  { visible: undefined, indices: [0, 1] },
  { visible: "1", indices: [1] },
  { visible: "1,0", indices: [1, 0] },
  { visible: "GPU-0a1b2c3d", indices: [1] },
  { visible: "0,7,1", indices: [0] },
  { visible: "", indices: [] },
  { visible: "-1", indices: [] },
  { visible: "0,0", indices: [0] },
])("with CUDA_VISIBLE_DEVICES $visible, cards $indices are seen", ({ visible, indices }) => {
  const seen = visibleCards(parseGraphicsCards(twoCards), visible);
  expect(seen.map(({ index }) => index)).toEqual(indices);
});

describe.skipIf(process.platform === "win32")("the tool itself", () => {
  const path = process.env["PATH"];
  afterEach(() => {
    process.env["PATH"] = path;
  });

  async function install(folder: string, script: string): Promise<void> {
    const file = join(folder, "nvidia-smi");
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    process.env["PATH"] = `${folder}:${path}`;
  }

  test("is asked, and its answer read", async () => {
    using folder = temporaryFolder();
    await install(folder.path, `cat <<'END'\n${twoCards}END`);
    expect(await listGraphicsCards({})).toHaveLength(2);
    expect(await listGraphicsCards({ CUDA_VISIBLE_DEVICES: "1" })).toHaveLength(1);
  });

  test("that fails, or is not there, has no cards", async () => {
    using folder = temporaryFolder();
    await install(folder.path, "exit 9");
    expect(await listGraphicsCards({})).toEqual([]);
    process.env["PATH"] = folder.path.slice(0, 4);
    expect(await listGraphicsCards({})).toEqual([]);
  });
});
