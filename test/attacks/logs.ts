import type { Section } from "./section.ts";

export const logs: Section = {
  prefix: "LG",
  title: "secrets, logs and errors",
  attacks: {
    "01": {
      input: "canaries in keys, prompts, pictures, tokens and passwords",
      tests: ["test/e2e/keys.test.ts", "test/e2e/pull.test.ts", "test/observe/metrics.test.ts"],
    },
    "02": {
      input: "line ends and escapes in what a user names",
      untested:
        "Logs are JSON, a record a line, so both are escaped by their form; sentences on a terminal have their own tests.",
    },
    "03": {
      input: "a umask of 000",
      tests: ["src/registry/registry.test.ts", "src/state/state-home.test.ts"],
    },
    "04": { input: "a look into the table of keys", tests: ["src/server/authenticate.test.ts"] },
    "05": {
      input: "an error on every route",
      tests: ["src/server/error-reply.test.ts"],
    },
    "06": { input: "ps and command lines", tests: ["test/engine/bad-worker.test.ts"] },
    "07": {
      input: "100,000 names of models",
      tests: ["test/observe/metrics.test.ts"],
    },
  },
};
