import type { Section } from "./section.ts";

const here = "test/conformance/http-attacks.test.ts";
const app = "src/server/app.test.ts";

export const http: Section = {
  prefix: "HT",
  title: "HTTP",
  attacks: {
    "01": { input: "two framings, and a second request in the body", tests: [here] },
    "02": { input: "two lengths", tests: [here] },
    "03": { input: "a coding that nobody knows, or behind the last one", tests: [here] },
    "04": { input: "a space before the colon, a folded line, line feeds alone", tests: [here] },
    "05": { input: "a header of 17 KiB", tests: [here] },
    "06": { input: "a request line of 64 KiB", tests: [here] },
    "07": {
      input: "500 connections with a byte now and then",
      tests: [here],
      leavesOut:
        "That a request meanwhile takes no more than 0.1 s longer: a machine under load does not tell.",
    },
    "08": {
      input: "a body of a byte a second",
      tests: [here],
      leavesOut: "The minute itself: the test turns the limit down to two seconds.",
    },
    "09": { input: "ten gigabytes announced", tests: [app] },
    "10": {
      input: "a chunked body without an end",
      tests: [here],
      leavesOut:
        "The last megabyte of memory: what was read and is not yet freed counts too, and the collector is not made to run.",
    },
    "11": { input: "a packed body", tests: [here] },
    "12": { input: "a host that hides a path", tests: [here] },
    "13": { input: "a path written otherwise, without a key", tests: [here] },
    "14": { input: "a target with a host in it", tests: [here] },
    "15": { input: "two hosts", tests: [app] },
    "16": { input: "TRACE, FOO, CONNECT", tests: [app] },
    "17": { input: "a content type with something behind it", tests: [here] },
    "18": { input: "JSON as text/plain", tests: [app, "test/conformance/contract.test.ts"] },
    "19": { input: "1,000 requests in one go", tests: [here] },
    "20": { input: "Expect: 100-continue with ten gigabytes", tests: [app] },
    "21": { input: "a web socket", tests: [app] },
    "22": { input: "a TLS hello, HTTP/2's preface, random bytes", tests: [here] },
    "23": { input: "broken percent escapes", tests: [app] },
    "24": { input: "1,000 connections reset in mid-body", tests: [here] },
  },
};
