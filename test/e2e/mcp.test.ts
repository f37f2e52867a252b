/** The MCP server as a client of the protocol's own SDK meets it: a process on standard input and output. */
import { copyFile, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { demoPictures, packageRoot } from "../../src/config/package.ts";
import { requireBuild } from "../support/program.ts";

const question = "Which number is this?";
const picture = join(demoPictures(), "number.png");

let folder: string;
let client: Client;

beforeAll(async () => {
  requireBuild();
  folder = await mkdtemp(join(tmpdir(), "atalaya-mcp-"));
  await copyFile(picture, join(folder, "number.png"));
  await symlink("/etc/hostname", join(folder, "link.png"));
  await writeFile(join(folder, "text.png"), "no picture");
  client = await connect(["--folder", folder]);
});

afterAll(() => client.close());

async function connect(args: readonly string[], roots?: readonly string[]): Promise<Client> {
  const connected = new Client(
    { name: "test", version: "1" },
    { capabilities: roots === undefined ? {} : { roots: {} } },
  );
  if (roots !== undefined) {
    connected.setRequestHandler(ListRootsRequestSchema, () => ({
      roots: roots.map((root) => ({ uri: pathToFileURL(root).href })),
    }));
  }
  await connected.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [
        join(packageRoot(), "dist/src/cli/main.js"),
        "mcp",
        "demo",
        "--temperature",
        "0",
        "--endpoint",
        "http://127.0.0.1:1",
        ...args,
      ],
      cwd: folder,
      stderr: "ignore",
    }),
  );
  return connected;
}

async function look(image: string, from = client) {
  const result = await from.callTool({ name: "look", arguments: { image, question } });
  const [first] = Array.isArray(result.content) ? result.content : [];
  return { text: String(first?.text), isError: result.isError === true, result };
}

test("one tool, described", async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(["look"]);
  expect(tools[0]?.inputSchema.required).toEqual(["image"]);
});

test("a file, by its name in the folder, and as a data: URL", { timeout: 60_000 }, async () => {
  const byName = await look("number.png");
  expect(byName.isError).toBe(false);
  expect(byName.text).toMatch(/\d/);
  const base64 = (await readFile(picture)).toString("base64");
  const byBytes = await look(`data:image/png;base64,${base64}`);
  expect(byBytes.text).toBe(byName.text);
  expect(byBytes.result.structuredContent).toMatchObject({
    answer: byName.text,
    finish_reason: "stop",
    image: { tiles: 2, cached: true },
  });
});

test.each([
  ["a file outside of the folder", () => picture],
  ["a way out of the folder", () => "../../etc/hostname"],
  ["a link that leads out of it", () => "link.png"],
  ["a file that is not there", () => "nothing.png"],
])("%s is refused, and told alike", async (_, image) => {
  const { isError, text } = await look(image());
  expect(isError).toBe(true);
  expect(text).toMatch(/is no file in .*those are the folders that may be looked at/);
});

test("what is no picture is said to be none", async () => {
  const { isError, text } = await look("text.png");
  expect(isError).toBe(true);
  expect(text).toMatch(/picture/);
});

test("an address of this machine is refused", async () => {
  const { isError } = await look("http://127.0.0.1:1/a.png");
  expect(isError).toBe(true);
});

test("without --folder the client's roots are the folders", { timeout: 60_000 }, async () => {
  const withRoots = await connect([], [demoPictures()]);
  expect((await look(picture, withRoots)).isError).toBe(false);
  expect((await look(join(folder, "number.png"), withRoots)).isError).toBe(true);
  await withRoots.close();
});
