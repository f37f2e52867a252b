import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { GraphicsCard } from "../../devices/nvidia-smi.ts";
import { runProgram } from "../../process/run-program.ts";
import { buildsFor, cudaEnvironment, whatCardsLack } from "./environment-spec.ts";

const card = (computeCapability: number | undefined, driverVersion: string): GraphicsCard => ({
  index: 0,
  uuid: "GPU-1",
  name: "NVIDIA card",
  totalBytes: 2.4e10,
  freeBytes: 2e10,
  computeCapability,
  driverVersion,
});

const names = (...cards: GraphicsCard[]): string[] =>
  buildsFor(cards).map(({ name }) => name.slice(0, 2));

test.each([
  ["no card", [], ["13", "12"]],
  ["a card of today, and its driver", [card(8.9, "580.82.09")], ["13", "12"]],
  ["a card of today, and an older driver", [card(8.9, "570.10")], ["12"]],
  ["an H100, which the newer build has no code for", [card(9, "580.82.09")], ["12"]],
  ["two cards, one of them old", [card(12, "590.1"), card(7.5, "590.1")], ["12"]],
  ["a driver that does not tell", [card(undefined, "580.1")], ["12"]],
])("%s: which builds do", (_, cards, expected) => {
  expect(names(...cards)).toEqual(expected);
});

test("what speaks against it is a sentence, and it can be installed all the same", () => {
  expect(whatCardsLack([])?.reason).toMatch(/no NVIDIA graphics card/);
  expect(whatCardsLack([card(7, "470.82.01")])?.reason).toMatch(/470\.82\.01 .* 525 or newer/);
  expect(whatCardsLack([card(9, "580.1")])).toBeUndefined();
});

test.skipIf(process.platform !== "linux" || process.arch !== "x64")(
  "a package with another hash than the one we know is refused, and nothing of it stays",
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cuda-"));
    const archive = Buffer.from("not what it says it is");
    const registry = createServer((request, reply) => {
      const base = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
      if (request.url?.endsWith(".tgz")) return reply.end(archive);
      const name = "@node-llama-cpp/linux-x64-cuda";
      const version = "3.21.1";
      return reply.end(
        JSON.stringify({
          name,
          "dist-tags": { latest: version },
          versions: { [version]: { name, version, dist: { tarball: `${base}/cuda.tgz` } } },
        }),
      );
    });
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    const { port } = registry.address() as AddressInfo;
    vi.stubEnv("npm_config_registry", `http://127.0.0.1:${port}/`);
    vi.stubEnv("npm_config_cache", join(folder, "cache"));
    try {
      const [variant] = buildsFor([]);
      const sitePackages = join(folder, "packages");
      await mkdir(sitePackages);
      await expect(
        cudaEnvironment.complete?.({
          variant: variant ?? expect.fail(),
          sitePackages,
          python: "python3",
          run: runProgram,
          onProgress: () => undefined,
        }),
      ).rejects.toMatchObject({
        code: "environment_failed",
        message: expect.stringMatching(/linux-x64-cuda@3\.21\.1\) could not be fetched with npm: /),
      });
      expect(await readdir(join(sitePackages, "ggml_cuda"))).toEqual([]);
      expect((await readdir(sitePackages)).filter((name) => name.startsWith("."))).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      registry.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
