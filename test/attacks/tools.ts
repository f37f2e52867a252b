import type { Section } from "./section.ts";

const scripted = "test/conformance/scripted-tools.test.ts";
const responses = "test/conformance/responses-tools.test.ts";

export const tools: Section = {
  prefix: "TO",
  title: "tools and structured output",
  attacks: {
    "01": { input: "code in place of a call", tests: [scripted] },
    "02": { input: "a call that is cut off", tests: [responses, scripted] },
    "03": {
      input: "a pattern that backtracks for ever",
      tests: ["src/grammar/schema-grammar.test.ts"],
      leavesOut: "The pattern that is one open bracket.",
    },
    "04": { input: "a schema that refers to itself", tests: [scripted] },
    "05": { input: "a schema that lies elsewhere", tests: [scripted] },
    "06": { input: "10,000 schemas", untested: "Not tried." },
    "07": { input: "a grammar that can never end", untested: "Not tried." },
    "08": { input: "names of 10 KB, with control characters, twice", tests: [scripted] },
    "09": { input: "arguments in pieces", tests: [responses, scripted] },
    "10": { input: "a megabyte of brackets", tests: ["src/pipeline/tool-calls.test.ts"] },
    "11": { input: "128 tools longer than the context", tests: [scripted] },
  },
};
