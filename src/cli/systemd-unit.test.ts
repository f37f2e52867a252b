import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemdUnit } from "./systemd-unit.ts";

const options = {
  command: [process.execPath, import.meta.filename] as const,
  serveArguments: ["/models/My $5 100% model", "--port", "9997"],
  environment: { ATALAYA_HOME: "/var/lib/at alaya", HF_HOME: "/data/hf" },
  scope: "system" as const,
  user: "nobody",
};

test("the words of the command line stay the words that were given", () => {
  expect(systemdUnit(options)).toContain(
    `ExecStart=${process.execPath} ${import.meta.filename} serve "/models/My $$5 100%% model" --port 9997\n`,
  );
  expect(systemdUnit(options)).toContain('Environment="ATALAYA_HOME=/var/lib/at alaya"\n');
});

test("a person's unit names no account and is wanted by the person's session", () => {
  const unit = systemdUnit({ ...options, scope: "user", user: undefined });
  expect(unit).not.toMatch(/^User=/m);
  expect(unit).toContain("WantedBy=default.target");
});

const verifies = hasSystemdAnalyze();

test.skipIf(!verifies)("systemd finds nothing wrong with it", () => {
  const directory = mkdtempSync(join(tmpdir(), "atalaya-unit-"));
  const path = join(directory, "atalaya.service");
  writeFileSync(path, systemdUnit(options));
  // What systemd has to say about a unit goes to stderr; silence is consent.
  const said = execFileSync("systemd-analyze", ["verify", "--man=no", path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(said).toBe("");
});

function hasSystemdAnalyze(): boolean {
  try {
    execFileSync("systemd-analyze", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
