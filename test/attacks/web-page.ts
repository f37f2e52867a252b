import type { Section } from "./section.ts";

const noPages = "There is no web UI.";

export const webPage: Section = {
  prefix: "UI",
  title: "pages in a browser",
  attacks: {
    "01": { input: "markup in a name or a chat, a javascript: link", notBuilt: noPages },
    "02": { input: "an answer with a picture of a foreign host", notBuilt: noPages },
    "03": { input: "an SVG for an icon", notBuilt: noPages },
    "04": { input: "a page in another site's frame", tests: ["test/conformance/contract.test.ts"] },
    "05": { input: "paths that climb", tests: ["src/server/app.test.ts"] },
    "06": {
      input: "an HTML answer without a policy",
      tests: ["test/conformance/contract.test.ts"],
    },
    "07": { input: "a login that scripts can read", notBuilt: noPages },
    "08": { input: "/.env, /.git/config, source maps", tests: ["src/server/app.test.ts"] },
    "09": { input: "markup in a path that is not there", tests: ["src/server/app.test.ts"] },
  },
};
