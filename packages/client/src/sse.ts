/** `text/event-stream` bytes, cut anywhere → the data of each event. */

/** An event of one of our servers is one chunk of an answer; what is larger is no such thing. */
const maxEventLength = 16 * 1024 * 1024;

/**
 * @yields the data of each event, its `data:` lines joined by line feeds; comments and other fields
 *   are skipped
 * @see WHATWG HTML, "9.2.6 Interpreting an event stream"
 */
export async function* parseEventStream(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void> {
  let data: string[] = [];
  for await (const line of splitLines(bytes)) {
    if (line === "") {
      if (data.length > 0) yield data.join("\n");
      data = [];
    } else if (line.startsWith("data:")) {
      data.push(line.slice(line[5] === " " ? 6 : 5));
    } else if (line === "data") {
      data.push("");
    }
  }
}

/** Lines end in CR, LF or CR LF; a last one without an end is dropped, as the standard has it. */
export async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the very end may be the first half of CR LF: it waits for what follows.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > maxEventLength) {
      throw new Error(`A line of the event stream is longer than ${maxEventLength} characters.`);
    }
  }
  if (rest.endsWith("\r")) yield rest.slice(0, -1);
}
