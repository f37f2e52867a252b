import * as fc from "fast-check";
import { expect, test } from "vitest";
import { tokenId } from "../base/ids.ts";
import { visibleRanges } from "../models/mllama/visible-pictures.ts";
import { picturesInView } from "./pictures-in-view.ts";

const image = tokenId(9);
const view = (text: string): boolean[] =>
  picturesInView(
    text.split("").map((letter) => (letter === "I" ? image : tokenId(1))),
    image,
  );

test.each([
  { prompt: "xx", inView: [] },
  { prompt: "IIx", inView: [true, true] },
  { prompt: "IxIx", inView: [false, true] },
  { prompt: "IxxIIxx", inView: [false, true, true] },
  { prompt: "IxI", inView: [false, true] },
])("at the end of $prompt: $inView", ({ prompt, inView }) => {
  expect(view(prompt)).toEqual(inView);
});

test("is what the model's last row sees", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("I", "x"), { minLength: 1, maxLength: 24 }), (letters) => {
      const positions = letters.flatMap((letter, row) => (letter === "I" ? [row] : []));
      const [last] = visibleRanges(positions, { start: letters.length, end: letters.length + 1 });
      expect(view(letters.join(""))).toEqual(
        positions.map((_, picture) => last?.pictures.includes(picture) === true),
      );
    }),
  );
});
