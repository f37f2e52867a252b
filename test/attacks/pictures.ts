import type { Section } from "./section.ts";

const here = "test/conformance/hostile-pictures.test.ts";
const decode = "src/image/decode.test.ts";

export const pictures: Section = {
  prefix: "IM",
  title: "pictures",
  attacks: {
    "01": {
      input: "a header that claims 1,000,000 × 1,000,000",
      tests: [here],
      leavesOut:
        "Time and memory, which the machine's load decides: it is refused by its header, before a decoder is asked. The code is invalid_image, as for every picture.",
    },
    "02": { input: "30,000 × 30,000 in black and white, in 109 KB", tests: [here] },
    "03": { input: "10,000 × 10,000 in colour, in 292 KB", tests: [decode, here] },
    "04": {
      input: "49 million pixels",
      tests: [here],
      leavesOut: "That it takes no more than five seconds: a machine under load does not tell.",
    },
    "05": { input: "every beginning of a file", tests: [decode, here] },
    "06": { input: "a format's first bytes, and chance", tests: [here] },
    "07": {
      input: "base64 that is empty, wrong, or of another alphabet",
      tests: ["src/server/data-url.test.ts"],
    },
    "08": {
      input: "a label that is wrong, or a page's",
      tests: ["src/server/data-url.test.ts", here],
    },
    "09": { input: "an SVG that asks for files and addresses", tests: [here] },
    "10": {
      input: "ten thousand frames",
      tests: [here],
      leavesOut: "That it costs what one frame costs, which the machine's load decides.",
    },
    "11": {
      input: "printers' colours, 16 bits, one bit, palettes and greys that are clear in places",
      tests: [decode, here],
      leavesOut:
        "Which red printers' colours become: libvips converts them, and there is no golden file.",
    },
    "12": { input: "every orientation", tests: [decode] },
    "13": {
      input: "WebP of both kinds, and damaged",
      tests: [decode, here],
      leavesOut: "Sanitizers: the decoder is a package that comes built.",
    },
    "14": {
      input: "TIFF, HEIC, JPEG 2000, PSD, PDF, ICO, EPS",
      tests: [decode, here],
      leavesOut: "The code of its own: it is invalid_image, as for every picture.",
    },
    "15": { input: "a single pixel, and lines", tests: ["src/models/mllama/tiles.test.ts", here] },
    "16": { input: "a side of nothing", tests: [decode, here] },
    "17": {
      input: "a text chunk that unpacks to far more than it is",
      tests: [here],
      leavesOut: "The last 8 MiB of memory: only that a decoder stays within what it may have.",
    },
    "18": {
      input: "a JPEG of a thousand scans",
      tests: ["src/image/decoder-process.test.ts", here],
      leavesOut:
        "The five seconds, which the test turns down, and the event loop's lag: decoders are processes of their own.",
    },
    "19": { input: "a broken picture, and words of a library", tests: [decode, here] },
    "20": {
      input: "eight pictures at the limit",
      tests: ["src/pipeline/pixel-budget.test.ts", here],
      leavesOut: "Eight small files of 50 million pixels each, which would take over a gigabyte.",
    },
    "21": {
      input: "equal bytes in another shape",
      tests: ["src/image/content-hash.test.ts"],
    },
    "22": {
      input: "64 requests with the same large picture",
      tests: [decode, "src/pipeline/pixel-budget.test.ts"],
      leavesOut:
        "Large pictures and the memory they take: 64 small ones are decoded at once, and the budget is tested by itself.",
    },
    "23": { input: "image_url of every type, and a detail that nobody knows", tests: [here] },
  },
};
