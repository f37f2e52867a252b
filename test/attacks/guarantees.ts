import type { Section } from "./section.ts";

const httpAttacks = "test/conformance/http-attacks.test.ts";

/** The design's G1 to G22, whose figures hold on a machine with nothing else to do: `G-01` to `G-22`. */
export const guarantees: Section = {
  prefix: "G",
  title: "guarantees",
  attacks: {
    "01": {
      input: "malformed HTTP and JSON",
      tests: [httpAttacks],
      leavesOut:
        "A hundred thousand at random, and the nightly ten million: the cases are the catalogue's.",
    },
    "02": {
      input: "status codes that nothing tells of",
      tests: ["test/conformance/contract.test.ts"],
    },
    "03": {
      input: "hostile model files",
      tests: ["src/formats/safetensors.test.ts"],
      leavesOut: "A million headers: it draws 2,000. Sanitizers: the readers are TypeScript.",
    },
    "04": {
      input: "hostile pictures",
      tests: ["src/image/decode.test.ts"],
      leavesOut: "Twenty thousand changed files: it draws 60.",
    },
    "05": {
      input: "a worker killed in mid-answer",
      tests: ["test/engine/conformance.test.ts"],
      leavesOut:
        "Two hundred random moments, the 250 ms, and the gaps of other models: it is killed once, and a second is the limit.",
    },
    "06": { input: "a request that ends workers", tests: ["test/engine/misdeeds.test.ts"] },
    "07": {
      input: "a server killed during a download",
      tests: ["test/hub/resume.test.ts"],
      leavesOut:
        "Twenty places of every step: there are twelve chosen moments and a hundred at random.",
    },
    "08": {
      input: "a full disk",
      tests: ["src/state/state-database.test.ts"],
      leavesOut:
        "An error at the n-th write, for every n; downloads have tests of their own (DL-08).",
    },
    "09": {
      input: "1,000 kills under write load",
      tests: ["test/e2e/kill-anytime.test.ts"],
      leavesOut:
        "Most of the thousand: as many as are asked for by its environment, and few otherwise.",
    },
    "10": {
      input: "readers that go away",
      tests: [httpAttacks],
      leavesOut: "The time until the slot is free, with a real engine.",
    },
    "11": {
      input: "readers that are slow",
      tests: ["test/e2e/many-streams.test.ts"],
      leavesOut:
        "64 MiB and 20 %: on a machine under load it can tell only whether memory goes on growing and others are answered.",
    },
    "12": {
      input: "1,000 streams on two cores",
      tests: ["test/e2e/many-streams.test.ts"],
      leavesOut:
        "Twenty events a second, and the gap of 150 ms: a machine under load does not tell.",
    },
    "13": {
      input: "the event loop held up",
      untested:
        "Not measured for every request. Pictures, tokens, forms of answers and the database have threads and processes of their own.",
    },
    "14": {
      input: "five times as much as it can do",
      tests: ["src/server/fairness.test.ts"],
      leavesOut:
        "What is still done at five times the load, the times of refusals, and shedding by the process's memory, which is not done (RL-06).",
    },
    "15": {
      input: "hours of it",
      untested: "No test runs for so long; HT-24 and G-10 count what a thousand requests leave.",
    },
    "16": {
      input: "a stop",
      tests: ["test/e2e/restart.test.ts"],
      leavesOut: "The 100 ms until no connection is taken any more.",
    },
    "17": {
      input: "health that says what is true",
      untested:
        "Not tried with a probe: requests to a model whose engine has died are tested, the second until that shows is not.",
    },
    "18": {
      input: "a start where another one is",
      tests: ["test/e2e/cli.test.ts", "test/e2e/restart.test.ts"],
      leavesOut: "The second within which it ends.",
    },
    "19": {
      input: "far time zones, and clocks that jump",
      tests: ["test/e2e/bare-surroundings.test.ts"],
      leavesOut: "A clock that jumps, which a test may not set; timers are monotonic.",
    },
    "20": {
      input: "secrets in what is written",
      tests: ["test/e2e/pull.test.ts", "test/observe/metrics.test.ts"],
      leavesOut:
        "Dumps of memory, and the whole suite at once: what takes a secret in has its own test (LG).",
    },
    "21": {
      input: "packets from a start",
      untested: "Packets are not counted. A start in a network that leads nowhere serves (RL-07).",
    },
    "22": { input: "how deep tests go", untested: "Neither branches nor mutants are measured." },
  },
};
