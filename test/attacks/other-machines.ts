import type { Section } from "./section.ts";

const alone = "Atalaya runs on one machine; nothing joins it.";

export const otherMachines: Section = {
  prefix: "CL",
  title: "several machines",
  attacks: {
    "01": { input: "Ray's dashboard or job API from elsewhere", notBuilt: alone },
    "02": { input: "a machine that joins without the token", notBuilt: alone },
    "03": { input: "serialized objects sent to a port", notBuilt: alone },
    "04": { input: "a network that is parted for 30 s", notBuilt: alone },
    "05": {
      input: "a launch on a machine that is not one of ours",
      tests: ["src/server/app.test.ts"],
    },
  },
};
