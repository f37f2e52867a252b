import type { Section } from "./section.ts";

const byKey = "src/server/authenticate.test.ts";
const byPage = "src/server/foreign-pages.test.ts";

export const authentication: Section = {
  prefix: "AU",
  title: "who asks, and from where",
  attacks: {
    "01": { input: "every route without a key, with a wrong and with a weak one", tests: [byKey] },
    "02": { input: "a key that is altered, cut, longer, or two in one", tests: [byKey] },
    "03": {
      input: "guesses that differ in the first or in the last letter",
      tests: ["src/identity/api-keys.test.ts"],
      leavesOut:
        "Times of 20,000 guesses: nanoseconds of a comparison drown in the tenth of a millisecond that looking it up takes. That only digests are looked up and compared is tested.",
    },
    "04": {
      input: "keys of no length that a real one has, and of a megabyte",
      tests: ["src/server/app.test.ts", byKey],
    },
    "05": { input: "SQL for a key", tests: [byKey] },
    "06": { input: "a token without a signature", tests: [byKey] },
    "07": { input: "a token signed otherwise, or with another key", tests: [byKey] },
    "08": {
      input: "tokens and keys that are over",
      tests: ["src/identity/api-keys.test.ts", "src/identity/sessions.test.ts"],
    },
    "09": { input: "tokens of before the password was reset", tests: [byKey] },
    "10": { input: "who manages users makes itself an administrator", tests: [byKey] },
    "11": { input: "a key that is revoked, with an answer under way", tests: [byKey] },
    "12": { input: "many wrong keys from one address", tests: [byKey] },
    "13": {
      input: "a name that somebody else has pointed here",
      tests: ["src/server/app.test.ts", byKey, byPage],
    },
    "14": {
      input: "a request of another origin's page",
      tests: ["src/server/app.test.ts", byKey, byPage],
    },
    "15": { input: "a preflight of another origin's page", tests: [byKey, byPage] },
    "16": { input: "an opaque origin", tests: ["src/server/app.test.ts", byKey, byPage] },
    "17": {
      input: "a start for other machines without any key",
      tests: ["test/e2e/keys.test.ts"],
    },
    "18": { input: "a key in the address", tests: [byKey, "test/e2e/keys.test.ts"] },
    "19": {
      input: "a key for questions that launches, registers, deletes, downloads",
      tests: [byKey],
    },
    "20": {
      input: "secrets in files that others can read",
      tests: ["src/state/state-home.test.ts", "test/e2e/keys.test.ts"],
    },
    "21": { input: "two who make the first account at once", tests: [byKey] },
    "22": {
      input: "a name that does not exist, beside a wrong password",
      tests: [byKey],
      leavesOut:
        "That both take the same time to a tenth, which a busy machine does not show: each is seen to compute its hash.",
    },
  },
};
