import type { Section } from "./section.ts";

export const faults: Section = {
  prefix: "RL",
  title: "faults around us",
  attacks: {
    "01": {
      input: "kill -9 of a server with answers under way",
      tests: ["test/e2e/kill-anytime.test.ts", "test/e2e/restart.test.ts"],
    },
    "02": { input: "256 descriptors", untested: "Not tried." },
    "03": {
      input: "a database that is damaged, locked or read-only",
      tests: ["src/state/state-database.test.ts"],
    },
    "04": {
      input: "far time zones, other locales, a clock that is wrong",
      untested: "The suite was run in no other zone or locale than CI's; timers are monotonic.",
    },
    "05": { input: "a closed standard output", untested: "Not tried." },
    "06": {
      input: "memory that runs out",
      untested: "Not tried; a launch that cannot fit is refused beforehand.",
    },
    "07": {
      input: "no IPv6, or nothing else",
      untested: "It needs a network of its own, which tests may not make everywhere.",
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
