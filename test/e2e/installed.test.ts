/**
 * The packages as somebody else has them: packed, installed into an empty folder without running any script, used from
 * the command line and from a program, and compiled against.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot, packageVersion } from "../../src/config/package.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

const run = promisify(execFile);
const installMs = 300_000;
const version = packageVersion();

/** Holds the tarballs, and a folder for each program that depends on some of them. */
let folder: string;
/** Why nothing could be installed here, which says nothing about the packages. */
let unreachable: string | undefined;
let warnings = "";

beforeAll(async () => {
  requireBuild();
  folder = await mkdtemp(join(tmpdir(), "atalaya-installed-"));
  await run(
    "npm",
    ["pack", "--workspaces", "--include-workspace-root", "--pack-destination", folder],
    { cwd: packageRoot(), maxBuffer: 64 << 20 },
  );
  try {
    warnings += await install("platform", "atalaya");
    warnings += await install("client", "atalaya-client", "atalaya-protocol");
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    if (!/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH/.test(stderr)) throw error;
    unreachable = "the registry of npm packages cannot be reached";
  }
}, installMs);

/** @returns what npm warns of */
async function install(name: string, ...packages: readonly string[]): Promise<string> {
  const cwd = join(folder, name);
  await mkdir(cwd);
  await writeFile(join(cwd, "package.json"), '{ "private": true, "type": "module" }');
  const words = ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  const tarballs = packages.map((one) => join(folder, `${one}-${version}.tgz`));
  return (await run("npm", [...words, ...tarballs], { cwd })).stderr;
}

afterAll(async () => {
  killAll();
  await rm(folder, { recursive: true, force: true });
});

/** The blocks of code of a page that import from one of the packages. */
async function examples(page: string): Promise<string[]> {
  const text = await readFile(join(packageRoot(), page), "utf8");
  const blocks = [...text.matchAll(/^```[jt]s\n(.*?)^```/gms)].map(([, code]) => code ?? "");
  return blocks.filter((code) => /from "(atalaya|@atalaya\/client)"/.test(code));
}

/** What a module prints that depends on what was installed into `place`. */
async function runProgram(place: string, code: string): Promise<string> {
  await writeFile(join(folder, place, "program.js"), code);
  return (await run(process.execPath, ["program.js"], inPlace(place))).stdout;
}

function inPlace(place: string) {
  const env = { ...process.env, NO_COLOR: "1", ATALAYA_HOME: join(folder, "home") };
  return { cwd: join(folder, place), env, timeout: 120_000 };
}

test("npm warns of nothing, and finds everything", (context) => {
  context.skip(unreachable !== undefined, unreachable);
  expect(warnings).toBe("");
});

test("the demo answers by npx", { timeout: 150_000 }, async (context) => {
  context.skip(unreachable !== undefined, unreachable);
  const words = ["--no-install", "atalaya", "demo", "--once"];
  expect((await run("npx", words, inPlace("platform"))).stdout).toContain("red circle");
});

test("the README's program runs, and ends", { timeout: 90_000 }, async (context) => {
  context.skip(unreachable !== undefined, unreachable);
  const [program = ""] = (await examples("README.md")).filter((code) => code.includes("load"));
  const here = program.replaceAll("demo/pictures", "node_modules/atalaya/demo/pictures");
  expect(here).not.toBe(program);
  expect(await runProgram("platform", here)).toMatch(/red circle/);
});

test("the client's program runs", { timeout: 90_000 }, async (context) => {
  context.skip(unreachable !== undefined, unreachable);
  const url = await new Program(["serve", "--port", "0"]).says(/Serving at (http\S+)\/v1/);
  const [program = ""] = await examples("packages/client/README.md");
  const here = program.replaceAll("http://127.0.0.1:9997", url);
  expect(here).not.toBe(program);
  expect(await runProgram("client", here)).not.toBe("");
});

test("compilers find the types, in either way of finding them", {
  timeout: 240_000,
}, async (context) => {
  context.skip(unreachable !== undefined, unreachable);
  const programs = {
    platform: [...(await examples("README.md")), ...(await examples("docs/reference/npm-api.md"))],
    client: await examples("packages/client/README.md"),
  };
  expect(programs.platform.length).toBeGreaterThanOrEqual(2);
  // A wrong word must be found, or nothing was checked.
  programs.platform.push(
    'import { load } from "atalaya";\n// @ts-expect-error a picture is no number\n(await load("demo")).ask("", { images: 1 });\n',
  );
  const ways = { platform: ["nodenext", "nodenext"], client: ["preserve", "bundler"] } as const;
  for (const place of ["platform", "client"] as const) {
    const [module, moduleResolution] = ways[place];
    for (const [i, code] of programs[place].entries()) {
      await writeFile(join(folder, place, `${i}.ts`), code);
    }
    const compilerOptions = {
      module,
      moduleResolution,
      strict: true,
      target: "es2022",
      noEmit: true,
      // Our own declarations are checked by the platform's; the client's lead to a validator's, which take a minute.
      skipLibCheck: place === "client",
      types: ["node"],
      typeRoots: [join(packageRoot(), "node_modules/@types")],
    };
    const config = { compilerOptions, include: ["*.ts"] };
    await writeFile(join(folder, place, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(packageRoot(), "node_modules/typescript/bin/tsc");
    const ended = await run(process.execPath, [tsc, "-p", "."], inPlace(place)).catch(
      (error: { stdout: string }) => error,
    );
    expect(ended.stdout).toBe("");
  }
});
