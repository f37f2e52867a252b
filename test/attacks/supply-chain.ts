import type { Section } from "./section.ts";

export const supplyChain: Section = {
  prefix: "SC",
  title: "what is installed",
  attacks: {
    "01": {
      input: "the npm package without install scripts",
      untested: "Every checkout is installed so (.npmrc), and all tests run on it.",
    },
    "02": {
      input: "a wheel that was replaced in the index",
      tests: ["src/engines/python/make-environment.test.ts"],
    },
    "03": {
      input: "an index that cannot be reached",
      tests: ["src/engines/python/make-environment.test.ts"],
    },
    "04": {
      input: "a new start-up hook in an environment",
      tests: ["src/engines/python/make-environment.test.ts"],
    },
    "05": {
      input: "kill -9 while an environment is made",
      tests: ["src/engines/python/make-environment.test.ts"],
      leavesOut: "The kill itself: the tests begin with what one leaves behind.",
    },
    "06": {
      input: "a native library with one byte changed",
      tests: ["src/ggml/kernels.test.ts"],
      leavesOut:
        "the libraries out of npm, whose contents the lock file's sums vouch for when they are installed",
    },
  },
};
