import type { Section } from "./section.ts";

const fetcher = "src/media/media-fetcher.test.ts";
const everywhere = "test/conformance/remote-pictures.test.ts";
const files = "src/media/file-url.test.ts";

export const serverSideFetches: Section = {
  prefix: "SS",
  title: "addresses that the server is to ask",
  attacks: {
    "01": { input: "this machine", tests: [fetcher, everywhere] },
    "02": { input: "the metadata service of a cloud", tests: [fetcher, everywhere] },
    "03": { input: "loopback in IPv6, also carrying IPv4", tests: [fetcher] },
    "04": { input: "loopback as one number, in hex, in octal, cut short", tests: [fetcher] },
    "05": { input: "the unspecified address", tests: [fetcher] },
    "06": {
      input: "an address of each special-purpose block",
      tests: [fetcher, "src/media/public-address.test.ts"],
    },
    "07": { input: "names that mean this machine or its network", tests: [fetcher] },
    "08": { input: "a name that resolves to a private address, or to one too", tests: [fetcher] },
    "09": { input: "a name whose second answer is private", tests: [fetcher] },
    "10": { input: "a redirect to this machine", tests: [fetcher] },
    "11": { input: "more than three redirects, in a circle", tests: [fetcher] },
    "12": { input: "a user name in the address", tests: [fetcher] },
    "13": { input: "a backslash and an at sign, in both orders", tests: [fetcher] },
    "14": {
      input: "schemes that are none of ours, and file:",
      tests: [fetcher, everywhere],
      leavesOut:
        "file: is known here, so its code without an allowed folder is url_not_allowed, and the sentence says how one is allowed.",
    },
    "15": { input: "ports of other services", tests: [fetcher] },
    "16": {
      input: "a body that never ends",
      tests: [fetcher],
      leavesOut: "The test cuts at 1 MiB what a server cuts at 20; how much was sent is bounded.",
    },
    "17": {
      input: "a body that drips",
      tests: [fetcher],
      leavesOut: "The test waits 0.3 s where a server waits 10.",
    },
    "18": { input: "a compressed bomb", tests: [fetcher] },
    "19": { input: "a thousand pictures", tests: [everywhere] },
    "20": { input: "addresses in the text of a prompt", tests: [everywhere] },
    "21": {
      input: "an open port beside a closed one",
      tests: [fetcher, everywhere],
      leavesOut: "Times: neither is asked, since both are refused before a packet is sent.",
    },
    "22": { input: "a page with a secret where a picture should be", tests: [everywhere] },
    "23": { input: "files outside of the allowed folder", tests: [files] },
    "24": {
      input: "addresses in a launch, a pull, a registration",
      tests: ["test/conformance/addresses-of-models.test.ts"],
      leavesOut:
        "Fields that nothing reads, such as Python packages of a model, are not refused but named in x-ignored-fields.",
    },
    "25": { input: "what a host is told about us", tests: [fetcher] },
    "26": { input: "the same in every field of every dialect", tests: [everywhere] },
    "27": { input: "a pipe, a device, a directory in the allowed folder", tests: [files] },
    "28": { input: "a bare path in place of an address", tests: [everywhere] },
  },
};
