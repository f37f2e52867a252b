import type { Section } from "./section.ts";

const scripted = "test/conformance/scripted-tools.test.ts";
const responses = "test/conformance/responses-tools.test.ts";
const schemas = "src/grammar/schema-grammar.test.ts";

export const tools: Section = {
  prefix: "TO",
  title: "tools and structured output",
  attacks: {
    "01": { input: "code in place of a call", tests: [scripted] },
    "02": { input: "a call that is cut off", tests: [responses, scripted] },
    "03": {
      input: "a pattern that backtracks for ever",
      tests: [schemas],
      leavesOut: "The pattern that is one open bracket.",
    },
    "04": {
      input: "a schema that refers to itself, or is 10,000 levels deep",
      tests: [scripted, schemas],
    },
    "05": { input: "a schema that lies elsewhere", tests: [scripted, schemas] },
    "06": {
      input: "10,000 schemas",
      tests: ["src/engines/native/grammar-masks.test.ts"],
      leavesOut:
        "More than 200 of them, and the memory: 64 grammars stay compiled, and 8 MB of text. 10,000 in a row let a process grow by 160 MB and do not stop there: the library keeps some 7 KB of each that it ever compiled, in each of two threads, whose memory ends at 512 MB.",
    },
    "07": {
      input: "a grammar that can never end",
      tests: ["test/conformance/structured.test.ts"],
    },
    "08": { input: "names of 10 KB, with control characters, twice", tests: [scripted] },
    "09": { input: "arguments in pieces", tests: [responses, scripted] },
    "10": { input: "a megabyte of brackets", tests: ["src/pipeline/tool-calls.test.ts"] },
    "11": { input: "128 tools longer than the context", tests: [scripted] },
  },
};
