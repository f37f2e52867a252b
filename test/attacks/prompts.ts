import type { Section } from "./section.ts";

const here = "test/conformance/odd-prompts.test.ts";
const tokenizer = "src/tokenizer/tokenizer.test.ts";

export const prompts: Section = {
  prefix: "PT",
  title: "prompts and tokens",
  attacks: {
    "01": { input: "the end of a turn and another's beginning in a text", tests: [tokenizer] },
    "02": { input: "a thousand marks of pictures, and no picture", tests: [here, tokenizer] },
    "03": {
      input: "every token of structure, whoever says it, and in tools",
      tests: [here, "test/conformance/scripted-tools.test.ts", "test/processor/tools.test.ts"],
    },
    "04": { input: "a role that nobody has, or that holds structure", tests: [here] },
    "05": {
      input: "a token less than the context, as many, one more",
      tests: ["test/conformance/long-prompts.test.ts"],
    },
    "06": {
      input: "4 MiB without a space",
      tests: [tokenizer],
      leavesOut:
        "How long the server's own thread stands still: a machine under load does not tell. The work is another thread's.",
    },
    "07": {
      input:
        "emoji, marks of direction, 10,000 combining marks, a zero character, a byte-order mark",
      tests: [here, tokenizer],
    },
    "08": {
      input: "half a character",
      tests: [here, "src/server/json-body.test.ts"],
      leavesOut:
        "A code of its own: it is invalid_request, as for every other body that is no text.",
    },
    "09": {
      input: "an answer with characters of many tokens, streamed",
      tests: [here, "src/tokenizer/detokenize.test.ts"],
    },
    "10": {
      input: "an answer that looks like events",
      tests: [here, "src/server/sse.test.ts"],
    },
    "11": {
      input: "a stop text of nothing; one that spans tokens",
      tests: [here, "src/pipeline/stop-strings.test.ts"],
    },
    "12": { input: "no messages; a content that is null or empty", tests: [here] },
    "13": {
      input: "a template, or options of templates and pictures, in a request",
      tests: [here, "src/server/known-fields.test.ts"],
    },
    "14": { input: "ids of tokens that are none", tests: [here] },
    "15": {
      input: "a million empty messages; 100,000 parts",
      tests: [here],
      leavesOut: "The second, and the memory: neither can be told on a machine under load.",
    },
  },
};
