import { expect, test } from "vitest";
import { checkAnswer } from "./download-file.ts";

const file = { path: "model.safetensors", sizeBytes: 100 };
const range = { start: 40, end: 60 };
const check = (status: number, headers: Record<string, string>, isWholeFile = false): void =>
  checkAnswer(
    { status, headers },
    { file, range: isWholeFile ? { start: 0, end: 100 } : range, isWholeFile, host: "h" },
  );

test("the right range is taken", () => {
  check(206, { "content-range": "bytes 40-59/100", "content-length": "20" });
  check(206, { "content-range": "bytes 40-59/*" });
  check(200, { "content-length": "100" }, true);
  check(200, {}, true);
});

test.each([
  { why: "no range named", status: 206, headers: {}, says: /another range/ },
  {
    why: "another start",
    status: 206,
    headers: { "content-range": "bytes 41-59/100" },
    says: /another range/,
  },
  {
    why: "another end",
    status: 206,
    headers: { "content-range": "bytes 40-60/100" },
    says: /another range/,
  },
  {
    why: "another size",
    status: 206,
    headers: { "content-range": "bytes 40-59/101" },
    says: /changed meanwhile/,
  },
  { why: "the whole file", status: 200, headers: {}, says: /from its start/ },
  {
    why: "another length",
    status: 206,
    headers: { "content-range": "bytes 40-59/100", "content-length": "19" },
    says: /19 bytes of model\.safetensors instead of 20/,
  },
  {
    why: "a page",
    status: 206,
    headers: { "content-type": "text/html", "content-range": "bytes 40-59/100" },
    says: /a web page/,
  },
])("$why is not", ({ status, headers, says }) => {
  expect(() => check(status, headers)).toThrow(says);
});
