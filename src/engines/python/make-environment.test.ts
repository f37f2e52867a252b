/** Real environments, made by pip from wheels of our own. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runProgram } from "../../process/run-program.ts";
import { type EnvironmentSpec, environmentOf, findInstalled, stateOf } from "./environment.ts";
import { findPython } from "./find-python.ts";
import { makeEnvironment } from "./make-environment.ts";

const pythons = { from: 9, to: 14 };
const { found } = await findPython(pythons);
const title = found === undefined ? " (skipped: there is no Python with venv)" : "";
vi.setConfig({ testTimeout: 180_000 });

/** A wheel is a zip file; its module is one line. */
const makeWheel = `import sys, zipfile
path, line = sys.argv[1:]
info = "tiny-1.0.dist-info"
with zipfile.ZipFile(path, "w") as wheel:
    wheel.writestr("tiny.py", line)
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", f"tiny.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")`;

describe.skipIf(found === undefined)(`an environment${title}`, () => {
  let folder = "";
  let spec: EnvironmentSpec;
  const wheel = (): string => join(folder, "wheels-tiny", "tiny-1.0-py3-none-any.whl");
  const stages: string[] = [];
  const log: string[] = [];
  const hooks = (signal = new AbortController().signal) => ({
    signal,
    onProgress: ({ stage }: { stage: string }) => stages.push(stage),
    onLog: (line: string) => log.push(line),
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "environment-"));
    vi.stubEnv("ATALAYA_HOME", join(folder, "home"));
    vi.stubEnv("PIP_FIND_LINKS", join(folder, "wheels-tiny"));
    vi.stubEnv("PIP_NO_INDEX", "1");
    stages.length = 0;
    log.length = 0;
    await writeWheel("value = 1");
    const lock = join(folder, "tiny.txt");
    const digest = createHash("sha256").update(readFileSync(wheel())).digest("hex");
    await writeFile(lock, `# A lock.\ntiny==1.0 \\\n    --hash=sha256:${digest}\n`);
    spec = {
      kind: "transformers",
      title: "Tiny",
      pythons,
      variable: "ATALAYA_TINY_PYTHON",
      variants: () => [{ name: "cpu", lock, downloadBytes: 1e3, installedBytes: 1e3 }],
      imports: ["tiny"],
    };
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  async function writeWheel(line: string): Promise<void> {
    await mkdir(join(folder, "wheels-tiny"), { recursive: true });
    const result = await runProgram({
      program: found?.path ?? "",
      args: ["-c", makeWheel, wheel(), line],
    });
    expect(result.code).toBe(0);
  }

  test("is made once, mended when it is broken, and never trusted with a new start-up file (SC-04)", async () => {
    expect(await findInstalled(spec)).toBeUndefined();
    const made = await makeEnvironment(spec, hooks());
    expect(made.wasThere).toBe(false);
    const value = await runProgram({
      program: made.python,
      args: ["-I", "-c", "import tiny; print(tiny.value)"],
    });
    expect(value.stdout.trim()).toBe("1");
    expect((await makeEnvironment(spec, hooks(), { thorough: true })).wasThere).toBe(true);
    // One that two ask for at once is made once.
    await rm(made.directory, { recursive: true });
    const both = await Promise.all([
      makeEnvironment(spec, hooks()),
      makeEnvironment(spec, hooks()),
    ]);
    expect(both.map(({ wasThere }) => wasThere)).toContain(false);
    expect(both.map(({ wasThere }) => wasThere)).toContain(true);

    const environment = environmentOf(spec.kind, (await spec.variants())[0] ?? expect.fail());
    const state = await stateOf(environment);
    if (state.state !== "installed") throw new Error(state.state);
    const sitePackages = join(made.directory, state.record.sitePackages);
    await writeFile(join(sitePackages, "planted.pth"), "import os\n");
    expect(await stateOf(environment)).toMatchObject({
      state: "broken",
      why: expect.stringContaining("planted.pth"),
    });
    expect((await makeEnvironment(spec, hooks())).wasThere).toBe(false);
    await rm(join(sitePackages, "tiny.py"));
    expect(await stateOf(environment)).toMatchObject({
      state: "broken",
      why: "tiny.py is missing",
    });
    expect((await makeEnvironment(spec, hooks())).wasThere).toBe(false);
    await writeFile(join(sitePackages, "tiny.py"), "raise ImportError('spoiled')");
    expect((await makeEnvironment(spec, hooks(), { thorough: true })).wasThere).toBe(false);
    expect(log.join("\n")).toContain("spoiled");
  });

  test("is not made of a wheel that was replaced, and nothing is left behind (SC-02)", async () => {
    await writeWheel("value = 'evil'");
    await expect(makeEnvironment(spec, hooks())).rejects.toMatchObject({
      code: "environment_failed",
      message: expect.stringMatching(/could not be made: .*(HASH|hash)/i),
    });
    expect(
      readdirSync(join(folder, "home", "engines")).filter((name) => !name.endsWith(".lock")),
    ).toEqual([]);
  });

  test("is not made while its wheels cannot be had, and is when they can (SC-03)", async () => {
    await rm(wheel());
    await expect(makeEnvironment(spec, hooks())).rejects.toMatchObject({
      code: "environment_failed",
    });
    expect(await findInstalled(spec)).toBeUndefined();
    await writeWheel("value = 1");
    const lock = join(folder, "tiny.txt");
    const digest = createHash("sha256").update(readFileSync(wheel())).digest("hex");
    await writeFile(lock, `tiny==1.0 \\\n    --hash=sha256:${digest}\n`);
    expect((await makeEnvironment(spec, hooks())).wasThere).toBe(false);
  });

  test("that is given up leaves nothing behind, one that was killed is made anew (SC-05)", async () => {
    const controller = new AbortController();
    const making = makeEnvironment(spec, {
      ...hooks(controller.signal),
      onProgress: ({ stage }) => {
        if (stage.startsWith("making"))
          setTimeout(() => controller.abort(new Error("enough")), 300);
      },
    });
    await expect(making).rejects.toThrow("enough");
    const engines = join(folder, "home", "engines");
    expect(readdirSync(engines).filter((name) => !name.endsWith(".lock"))).toEqual([]);

    const { directory } = environmentOf(spec.kind, (await spec.variants())[0] ?? expect.fail());
    // What kill -9 leaves: a draft, and perhaps a directory without a record.
    await mkdir(join(engines, `.making-${directory.split("/").at(-1)}`, "bin"), {
      recursive: true,
    });
    await mkdir(join(directory, "bin"), { recursive: true });
    expect((await makeEnvironment(spec, hooks())).wasThere).toBe(false);
    expect(existsSync(join(engines, `.making-${directory.split("/").at(-1)}`))).toBe(false);
  });

  test("without room, or without a Python that does, says so", async () => {
    const [variant] = await spec.variants();
    if (variant === undefined) throw new Error("no variant");
    const huge = { ...spec, variants: () => [{ ...variant, installedBytes: 1e18 }] };
    await expect(makeEnvironment(huge, hooks())).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/ATALAYA_HOME to a larger disk/),
    });
    const future = { ...spec, pythons: { from: 98, to: 99 } };
    await expect(makeEnvironment(future, hooks())).rejects.toMatchObject({
      code: "engine_unavailable",
      message: expect.stringMatching(
        /^The engine Tiny needs Python 3\.98 to 3\.99, and there is only Python 3\.\d+/,
      ),
    });
  });
});
