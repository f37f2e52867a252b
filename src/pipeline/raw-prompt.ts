import { PlatformError } from "../base/errors.ts";

/** The strings of a plain prompt that have a meaning. */
export type PromptMarkers = {
  /** `<|begin_of_text|>` */
  readonly begin: string;
  /** `<|image|>` */
  readonly image: string;
};

/**
 * Put what is missing into a plain prompt: pictures without a marker go in front, and `bos: "auto"`
 * puts the begin-of-text string behind leading pictures when the text has none.
 *
 * @throws PlatformError `invalid_request` when markers and pictures do not match in number
 * @see transformers 5.18.0, `processing_mllama.py`, `build_string_from_input`
 */
export function completeRawPrompt(
  text: string,
  options: {
    readonly numImages: number;
    readonly bos: "auto" | "never";
    readonly markers: PromptMarkers;
  },
): string {
  const { numImages, bos, markers } = options;
  const numMarkers = text.split(markers.image).length - 1;
  if (numMarkers !== 0 && numMarkers !== numImages) {
    throw markerMismatch({ numMarkers, numImages, marker: markers.image });
  }
  const marked = numMarkers === 0 ? markers.image.repeat(numImages) + text : text;
  return bos === "auto" ? withBeginning(marked, markers) : marked;
}

/** For prompts of any kind whose picture markers and pictures differ in number. */
export function markerMismatch(counts: {
  readonly numMarkers: number;
  readonly numImages: number;
  readonly marker: string;
}): PlatformError {
  const { numMarkers, numImages, marker } = counts;
  return new PlatformError(
    "invalid_request",
    `The prompt has ${plural(numMarkers, `${marker} marker`)} and ${plural(numImages, "picture")}; there must be one marker for each picture.`,
  );
}

function withBeginning(text: string, { begin, image }: PromptMarkers): string {
  if (text.includes(begin)) return text;
  let numLeading = 0;
  while (text.startsWith(image, numLeading * image.length)) numLeading += 1;
  const end = numLeading * image.length;
  return text.slice(0, end) + begin + text.slice(end);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
