import type { Section } from "./section.ts";

export const workers: Section = {
  prefix: "WK",
  title: "workers",
  attacks: {
    "01": {
      input: "kill -9 in the middle of an answer",
      tests: ["test/engine/conformance.test.ts", "test/engine/replicas.test.ts"],
    },
    "02": {
      input: "a worker that sends garbage, half a frame, a huge frame, or ends without a word",
      tests: ["test/engine/bad-worker.test.ts", "test/engine/misdeeds.test.ts"],
    },
    "03": {
      input: "a worker that is stopped (SIGSTOP)",
      tests: ["test/engine/bad-worker.test.ts", "test/engine/conformance.test.ts"],
    },
    "04": {
      input: "100 MB a second on its standard error",
      tests: ["src/process/child.test.ts"],
    },
    "05": {
      input: "a look into a worker's environment",
      tests: ["src/engines/python/python-worker.test.ts", "src/process/child.test.ts"],
    },
    "06": {
      input: "a look at a worker's descriptors",
      tests: ["test/engine/bad-worker.test.ts", "test/engine/conformance.test.ts"],
    },
    "07": {
      input: "another user at a worker's socket; listening ports",
      tests: ["test/engine/bad-worker.test.ts", "test/engine/conformance.test.ts"],
    },
    "08": {
      input: "kill -9 of the server",
      tests: ["src/process/child.test.ts", "test/engine/conformance.test.ts"],
    },
    "09": {
      input: "a worker that ends again and again",
      tests: ["test/engine/native-worker.test.ts"],
    },
    "10": {
      input: "a request that ends the worker every time",
      tests: ["src/engines/worker/suspects.test.ts", "test/engine/misdeeds.test.ts"],
    },
    "11": {
      input: "a worker that runs out of memory",
      untested:
        "It needs a control group of its own, which tests may not make everywhere. The end is the one of WK-01, and its signal is told.",
    },
    "12": {
      input: "an engine's own HTTP routes",
      tests: ["test/engine/bad-worker.test.ts", "test/engine/conformance.test.ts"],
    },
    "13": { input: "a worker that does not listen", tests: ["src/process/child.test.ts"] },
    "14": { input: "a stop while the engine computes", tests: ["test/e2e/restart.test.ts"] },
    "15": {
      input: "a worker that started processes",
      tests: ["src/process/child.test.ts", "test/engine/conformance.test.ts"],
    },
  },
};
