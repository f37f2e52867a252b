import type { Section } from "./section.ts";

const here = "test/conformance/wrong-parameters.test.ts";
const jsonBody = "src/server/json-body.test.ts";

export const parameters: Section = {
  prefix: "PA",
  title: "parameters",
  attacks: {
    "01": {
      input: "a temperature that is infinite, no number, text or out of range; null",
      tests: [here],
    },
    "02": {
      input: "a number of tokens that is none, broken, text or beyond the context",
      tests: [here],
    },
    "03": {
      input: "no answer, or a milliard of them",
      tests: [here],
      leavesOut: "That it takes less than 10 ms: a machine under load does not tell.",
    },
    "04": { input: "a million alternatives", tests: [here] },
    "05": {
      input: "biases of no token, without bound, 10,000 of them",
      tests: [here],
    },
    "06": { input: "100,000 stop texts, or one of a megabyte", tests: [here] },
    "07": { input: "a seed beyond 64 bits", tests: [here] },
    "08": {
      input: "JSON nested 100,000 deep",
      tests: [jsonBody],
      leavesOut: "That it takes less than 50 ms: a machine under load does not tell.",
    },
    "09": { input: "a key twice", tests: [here, jsonBody] },
    "10": { input: "keys that name prototypes", tests: [here, jsonBody] },
    "11": { input: "bytes that are no UTF-8", tests: [jsonBody] },
    "12": { input: "fields that nobody knows", tests: [here, "src/server/known-fields.test.ts"] },
    "13": {
      input: "a model that is missing, unknown, or a path",
      tests: [here],
      leavesOut:
        "404 for a request that names no model: it is 400, as for every field that is missing.",
    },
    "14": { input: "a stream asked for by text; options of no stream", tests: [here] },
    "15": { input: "a body that is empty, null, a list, a number", tests: [jsonBody] },
    "16": { input: "more tokens at least than at most", tests: [here] },
    "17": { input: "100,000 prompts", tests: [here] },
    "18": { input: "10 MB of user or metadata", tests: [here] },
  },
};
