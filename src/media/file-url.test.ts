import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFileUrl } from "./file-url.ts";

let folder: string;
let root: string;
const maxBytes = 100;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "atalaya-media-"));
  root = join(folder, "allowed");
  await mkdir(join(root, "inner"), { recursive: true });
  await mkdir(join(folder, "allowed-not"));
  await writeFile(join(root, "a b.png"), "inside");
  await writeFile(join(folder, "secret.png"), "outside");
  await writeFile(join(folder, "allowed-not", "secret.png"), "outside");
  await writeFile(join(root, "large.png"), "");
  await truncate(join(root, "large.png"), maxBytes + 1);
  await symlink(join(folder, "secret.png"), join(root, "link.png"));
  await symlink(folder, join(root, "up"));
  await symlink(join(root, "a b.png"), join(root, "inner", "inside.png"));
  execFileSync("mkfifo", [join(root, "pipe.png")]);
});
afterAll(async () => await rm(folder, { recursive: true }));

const url = (...path: string[]): string => pathToFileURL(join(root, ...path)).href;

test("a file in the folder is read, through a link that stays inside too", async () => {
  for (const path of [["a b.png"], ["inner", "inside.png"]]) {
    expect(Buffer.from(await readFileUrl(url(...path), { root, maxBytes })).toString()).toBe(
      "inside",
    );
  }
});

test.each([
  { why: "goes up (SS-23)", path: () => `${pathToFileURL(root).href}/../secret.png` },
  {
    why: "goes up in disguise (SS-23)",
    path: () => `${pathToFileURL(root).href}/%2e%2e/secret.png`,
  },
  { why: "hides a slash (SS-23)", path: () => `${pathToFileURL(root).href}/..%2fsecret.png` },
  { why: "lies elsewhere (SS-23)", path: () => "file:///etc/passwd" },
  {
    why: "lies beside, under a longer name (SS-23)",
    path: () => url("..", "allowed-not", "secret.png"),
  },
  { why: "is a link that leaves (SS-23)", path: () => url("link.png") },
  { why: "passes through a link that leaves (SS-23)", path: () => url("up", "secret.png") },
  { why: "is a folder (SS-27)", path: () => url("inner") },
  { why: "is the folder itself (SS-27)", path: () => pathToFileURL(root).href },
  { why: "is a pipe, and nobody writes (SS-27)", path: () => url("pipe.png") },
  { why: "is a device (SS-27)", path: () => "file:///dev/zero" },
  { why: "is too large", path: () => url("large.png") },
  { why: "is not there", path: () => url("none.png") },
  { why: "names a host", path: () => "file://server/share/a.png" },
])("what $why is refused, in one sentence", async ({ path }) => {
  const work = readFileUrl(path(), { root, maxBytes });
  await expect(work).rejects.toMatchObject({
    code: "url_not_allowed",
    message: expect.stringMatching(
      /^The file: address of a picture names no file that may be read/,
    ),
  });
});
