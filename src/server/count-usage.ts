/** What an answer takes → the admission of whoever asked. */
import type { GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import type { Admission } from "../identity/usage-limits.ts";

/**
 * Take the pictures of a request now, and its tokens as they come: an answer that is cut off has cost
 * what it had cost by then.
 *
 * @throws PlatformError `rate_limited`
 */
export function countUsage(
  events: AsyncIterable<GenerateEvent>,
  { prompt }: GenerateRequest,
  admission: Admission | undefined,
): AsyncIterable<GenerateEvent> {
  if (admission === undefined) return events;
  const numImages =
    prompt.type === "raw"
      ? prompt.images.length
      : prompt.messages.flatMap(({ content }) => content.filter(({ type }) => type === "image"))
          .length;
  if (numImages > 0) admission.takeImages(numImages);
  return counted(events, admission);
}

async function* counted(
  events: AsyncIterable<GenerateEvent>,
  admission: Admission,
): AsyncGenerator<GenerateEvent, void> {
  // What goes on after the reply, in the background, is under way still.
  using _ = admission.hold();
  for await (const event of events) {
    if (event.type === "started") admission.addTokens(event.promptTokenIds.length);
    if (event.type === "text-delta") admission.addTokens(event.tokens.length);
    yield event;
  }
}
