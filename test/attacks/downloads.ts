import type { Section } from "./section.ts";

export const downloads: Section = {
  prefix: "DL",
  title: "downloads",
  attacks: {
    "01": { input: "kill -9 at every step", tests: ["test/hub/resume.test.ts"] },
    "02": { input: "wrong bytes", tests: ["test/hub/faults.test.ts"] },
    "03": {
      input: "a web page for a file, a wrong Content-Range, a range that is ignored",
      tests: ["test/hub/faults.test.ts"],
    },
    "04": {
      input: "a file that changes while it is gone on with",
      tests: ["test/hub/faults.test.ts", "test/hub/resume.test.ts"],
    },
    "05": {
      input: "../ in a file's name or in a sum",
      tests: ["src/hub/names.test.ts", "test/hub/faults.test.ts"],
    },
    "06": {
      input: "a redirect to another origin, or to a private address",
      tests: ["src/hub/public-address.test.ts", "test/hub/faults.test.ts", "test/hub/pull.test.ts"],
    },
    "07": {
      input: "WWW-Authenticate that leads to another host",
      tests: ["test/hub/faults.test.ts"],
    },
    "08": {
      input: "no room at a write, or before the start",
      tests: ["test/hub/faults.test.ts"],
    },
    "09": { input: "no bytes for long", tests: ["test/hub/faults.test.ts"] },
    "10": {
      input: "one model asked for twice at once",
      tests: ["test/e2e/pull.test.ts", "test/hub/pull.test.ts"],
    },
    "11": {
      input: "a download that is cancelled",
      tests: ["test/e2e/launch-download.test.ts", "test/e2e/pull.test.ts"],
    },
    "12": {
      input: "a list that never ends, or is packed to a bomb",
      tests: ["test/hub/faults.test.ts"],
    },
    "13": {
      input: "negative and absurd sizes and counts",
      tests: ["test/hub/faults.test.ts"],
    },
    "14": {
      input: "a cache that is made read-only or removed meanwhile",
      tests: ["test/hub/faults.test.ts"],
    },
    "15": {
      input: "a byte flipped in a cached file",
      tests: ["test/e2e/pull.test.ts", "test/hub/verify.test.ts"],
    },
    "16": { input: "a damaged record of a partial file", tests: ["test/hub/resume.test.ts"] },
    "17": { input: "a branch that moves under way", tests: ["test/hub/faults.test.ts"] },
    "18": { input: "an absurd Retry-After", tests: ["src/hub/retry.test.ts"] },
  },
};
