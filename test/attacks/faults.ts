import type { Section } from "./section.ts";

export const faults: Section = {
  prefix: "RL",
  title: "faults around us",
  attacks: {
    "01": {
      input: "kill -9 of a server with answers under way",
      tests: ["test/e2e/kill-anytime.test.ts", "test/e2e/restart.test.ts"],
    },
    "02": { input: "256 descriptors", notBuilt: "to come" },
    "03": {
      input: "a database that is damaged, locked or read-only",
      tests: ["src/state/state-database.test.ts"],
    },
    "04": { input: "far time zones, other locales, a clock that is wrong", notBuilt: "to come" },
    "05": { input: "a closed standard output", notBuilt: "to come" },
    "06": { input: "memory that runs out", notBuilt: "to come" },
    "07": { input: "no IPv6, or nothing else", notBuilt: "to come" },
    "08": {
      input: "a stop while a prompt is read or a model loaded",
      tests: ["src/supervisor/supervisor.test.ts", "test/e2e/restart.test.ts"],
    },
    "09": { input: "10,000 requests of one key", notBuilt: "to come" },
  },
};
