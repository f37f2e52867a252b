/** What every client under test is asked to do. */
export type Question = {
  readonly model: string;
  readonly system?: string;
  readonly text: string;
  /** The bytes of a PNG file. */
  readonly picture?: Buffer;
};

/** Somebody else's client, unmodified, behind two verbs. */
export type ClientUnderTest = {
  /** The packages that take part, of npm unless they say Python; their versions go into the table. */
  readonly packages: readonly string[];
  /** Whose API it speaks. */
  readonly dialect:
    | "OpenAI"
    | "OpenAI responses"
    | "Ollama"
    | "Anthropic"
    | "Xinference"
    | "Xinference, async";
  /** The command that installs it, where it is not. */
  readonly missing?: string | undefined;
  /** @param url of the server, without a path */
  ask(url: string, question: Question): Promise<string>;
  /** Leaving the loop hangs up, in the client's own way. */
  stream(url: string, question: Question): AsyncGenerator<string, void>;
};

export function dataUrl(picture: Buffer): string {
  return `data:image/png;base64,${picture.toString("base64")}`;
}
