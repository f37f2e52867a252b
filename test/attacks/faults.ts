import type { Section } from "./section.ts";

const surroundings = "test/e2e/bare-surroundings.test.ts";

export const faults: Section = {
  prefix: "RL",
  title: "faults around us",
  attacks: {
    "01": {
      input: "kill -9 of a server with answers under way",
      tests: ["test/e2e/kill-anytime.test.ts", "test/e2e/restart.test.ts"],
    },
    "02": {
      input: "256 descriptors",
      tests: [surroundings],
      leavesOut:
        "A 503: the runtime cuts off a connection for which it has no descriptor. And a limit that holds at the start: loading the program opens more files than that at one time, and fails.",
    },
    "03": {
      input: "a database that is damaged, locked or read-only",
      tests: ["src/state/state-database.test.ts"],
    },
    "04": {
      input: "far time zones, other locales, a clock that is wrong",
      tests: [surroundings],
      leavesOut:
        "The whole suite in each of them: a server starts there and answers. And a clock at 1970 and 2040, which a test may not set; timers are monotonic.",
    },
    "05": { input: "a closed standard output", tests: [surroundings] },
    "06": {
      input: "memory that runs out",
      untested:
        "No request is refused for the process's memory: what takes it is bounded each for itself (bodies under way, pictures, queues, caches), and a launch that cannot fit is refused beforehand.",
    },
    "07": {
      input: "no IPv6, or nothing else",
      tests: [surroundings],
      leavesOut:
        "A host whose loopback interface has no IPv4: there the default address does not exist, and the start says so. The test is left out where it may not make a network of its own.",
    },
    "08": {
      input: "a stop while a prompt is read or a model loaded",
      tests: ["src/supervisor/supervisor.test.ts", "test/e2e/restart.test.ts"],
    },
    "09": {
      input: "10,000 requests of one key",
      tests: ["src/server/fairness.test.ts"],
    },
  },
};
