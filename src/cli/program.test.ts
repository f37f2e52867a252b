import { expect, test } from "vitest";
import { withDashes } from "./program.ts";

test("options may be written with underscores, their values stay as they are", () => {
  expect(withDashes(["launch", "my_dir", "--max_model_len", "a_b", "--model_uid=x_y"])).toEqual([
    "launch",
    "my_dir",
    "--max-model-len",
    "a_b",
    "--model-uid=x_y",
  ]);
});

test("what comes after -- is no option", () => {
  expect(withDashes(["run", "m", "--", "--what_is_this"])).toEqual([
    "run",
    "m",
    "--",
    "--what_is_this",
  ]);
});
