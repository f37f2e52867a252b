import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTools } from "./tools-file.ts";

let directory: string;
let path: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tools-file-"));
  path = join(directory, "functions.json");
});
afterAll(async () => await rm(directory, { recursive: true }));

const parameters = { type: "object", properties: { city: { type: "string" } } };

test("functions are described as OpenAI's clients do, or each by itself", async () => {
  const described = { name: "weather", description: "Of a city", parameters, strict: true };
  await writeFile(
    path,
    JSON.stringify([{ type: "function", function: described }, { name: "now" }]),
  );
  expect(await readTools({ tools: path })).toEqual({
    tools: [described, { name: "now" }],
    choice: "auto",
  });
  expect((await readTools({ tools: path, toolChoice: "now" }))?.choice).toEqual({ name: "now" });
  expect((await readTools({ tools: path, toolChoice: "required" }))?.choice).toBe("required");
  await expect(readTools({ tools: path, toolChoice: "later" })).rejects.toThrow(
    /must be auto, none, required, or a function of .*: weather, now\./,
  );
});

test.each([
  { text: "[", says: /is not valid JSON/ },
  { text: "{}", says: /must be a JSON list of functions/ },
  { text: '[{"name": ""}]', says: /must be a JSON list of functions/ },
  { text: '[{"type": "web_search"}]', says: /must be a JSON list of functions/ },
])("$text is refused with a sentence", async ({ text, says }) => {
  await writeFile(path, text);
  await expect(readTools({ tools: path })).rejects.toThrow(says);
});

test("nothing is offered unless a file is named", async () => {
  expect(await readTools({})).toBeUndefined();
  await expect(readTools({ toolChoice: "none" })).rejects.toThrow(/goes with --tools/);
});
