/** The reference pages name every command, option and route that there is, and none that there is not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLogger } from "../src/base/logger.ts";
import { buildProgram } from "../src/cli/program.ts";
import { processTerminal } from "../src/cli/terminal.ts";
import { packageRoot } from "../src/config/package.ts";
import { readHubSettings } from "../src/hub/settings.ts";
import { Platform } from "../src/platform.ts";
import { routesOf } from "./support/routes.ts";

const pageOf = (name: string): string =>
  readFileSync(join(packageRoot(), "docs/reference", name), "utf8");

/** All first groups of `pattern` in `text`, once each, sorted. */
const found = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].flatMap(([, group]) => group ?? []))].toSorted();

const visibleFlags = (): string[] => {
  const { commands } = buildProgram(processTerminal());
  const all = commands.flatMap((command) => [command, ...command.commands]);
  const options = all.flatMap((command) => command.options);
  const flags = options.flatMap(({ hidden, long }) => (hidden || long == null ? [] : [long]));
  return [...new Set(flags)].toSorted();
};

test("the command line's page has every command", () => {
  const program = buildProgram(processTerminal());
  const visible = program.createHelp().visibleCommands(program);
  const commands = visible.map((command) => command.name()).filter((name) => name !== "help");
  const [table = ""] = pageOf("cli.md").split("## Options");
  expect(found(table, /^\| `([a-z-]+)[ `]/gm)).toEqual(commands.toSorted());
});

test("the command line's page has every option", () => {
  const [, options = ""] = pageOf("cli.md").split("## Options");
  const [table = ""] = options.split("\n\n`run --raw");
  expect(found(table, /`(--[a-z-]+)`/g)).toEqual(visibleFlags());
});

test("the hubs' page has every variable that is read for them", async () => {
  const read = new Set<string>();
  const env = new Proxy<NodeJS.ProcessEnv>(
    { HF_HOME: "/none", MODELSCOPE_ENDPOINT: "" },
    {
      get: (target, name) => {
        read.add(String(name));
        return target[String(name)];
      },
    },
  );
  await readHubSettings(env, "/none");
  const inCapitals = new Set([...read].map((name) => name.toUpperCase()));
  const [, table = ""] = pageOf("hubs.md").split("## Environment");
  const documented = found(table, /`([A-Z][A-Z_]+)`/g);
  expect(documented).toEqual(expect.arrayContaining([...inCapitals]));
});

test("the HTTP API's page has every route", async () => {
  await using platform = new Platform({ log: createLogger("silent") });
  const app = platform.app({ host: "127.0.0.1" });
  const routes = await routesOf(app);
  await app.close();
  const [, rest = ""] = pageOf("http-api.md").split("| route |");
  const [table = ""] = rest.split("\n\n");
  expect(found(table, /`((?:GET|POST|PUT|PATCH|DELETE) [^`?]+)`/g)).toEqual(routes);
});
