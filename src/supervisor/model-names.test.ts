import { describe, expect, test } from "vitest";
import { findByName } from "./model-names.ts";

const instruct = { uid: "vision", modelName: "Llama-3.2-11B-Vision-Instruct" };
const base = { uid: "base", modelName: "Llama-3.2-11B-Vision" };
const large = { uid: "large", modelName: "Llama-3.2-90B-Vision-Instruct" };
const own = { uid: "My-Model:v2", modelName: "checkpoint" };
const all = [large, base, own, instruct];

describe("a name finds", () => {
  test.each([
    { name: "vision", found: instruct },
    { name: "vision:latest", found: instruct },
    { name: "VISION", found: instruct },
    { name: "llama3.2-vision", found: instruct },
    { name: "llama3.2-vision:latest", found: instruct },
    { name: "llama3.2-vision:11b", found: instruct },
    { name: "llama3.2-vision:11b-instruct", found: instruct },
    { name: "llama-3.2-vision-instruct", found: instruct },
    { name: "Llama-3.2-11B-Vision-Instruct", found: instruct },
    { name: "meta-llama/Llama-3.2-11B-Vision-Instruct", found: instruct },
    { name: "unsloth/Llama-3.2-11B-Vision-Instruct", found: instruct },
    { name: "llama3.2-vision:90b", found: large },
    { name: "meta-llama/Llama-3.2-90B-Vision-Instruct", found: large },
    { name: "llama-3.2-vision", found: base },
    { name: "meta-llama/Llama-3.2-11B-Vision", found: base },
    { name: "my-model:v2", found: own },
    { name: "llama3.2-vision:11b-instruct-q4_K_M", found: undefined },
    { name: "llama3.2", found: undefined },
    { name: "llama-3.2-90b-vision", found: undefined },
    { name: "my-model", found: undefined },
    { name: "", found: undefined },
  ])("$name → $found.uid", ({ name, found }) => {
    expect(findByName(name, all)).toBe(found);
  });
});

test("of two instruct models the 11B is meant, and otherwise the first", () => {
  expect(findByName("llama3.2-vision", [large, instruct])).toBe(instruct);
  expect(findByName("llama3.2-vision", [large])).toBe(large);
});

test("an exact name wins over a family's", () => {
  const named = { uid: "llama3.2-vision", modelName: "checkpoint" };
  expect(findByName("llama3.2-vision", [instruct, named])).toBe(named);
});
