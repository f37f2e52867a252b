/** What every client under test is asked to do. */
export type Question = {
  readonly model: string;
  readonly system?: string;
  readonly text: string;
  /** The bytes of a PNG file. */
  readonly picture?: Buffer;
};

/** What an answer is held to, and what it may call: a JSON schema of an object with a name. */
export type Shape = {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
};

export type Called = { readonly name: string; readonly arguments: unknown };

/** Somebody else's client, unmodified, behind a few verbs; those that it has no word for are absent. */
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
  /** An answer of this form, read by the client as far as it reads any. */
  object?(url: string, question: Question, shape: Shape): Promise<unknown>;
  /**
   * The call of a function of this form: the model must make it where the client can say so, and may
   * where not.
   */
  call?(url: string, question: Question, shape: Shape): Promise<Called | undefined>;
  /** So many answers. */
  several?(url: string, question: Question, count: number): Promise<readonly string[]>;
  /** The logarithm of the probability of each token. */
  logprobs?(url: string, question: Question): Promise<readonly number[]>;
};

export function dataUrl(picture: Buffer): string {
  return `data:image/png;base64,${picture.toString("base64")}`;
}
