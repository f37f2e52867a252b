/** Every error, in OpenAI's form with Xinference's beside it: as a reply's body, and as the last event of a broken stream. */
export type ErrorReply = {
  /** What went wrong. */
  readonly error: {
    /** For a person: what happened, with the values, then what to do. */
    readonly message: string;
    /** OpenAI's name for this kind of failure. */
    readonly type: "invalid_request_error" | "rate_limit_error" | "server_error";
    /** The field it is about, such as `messages[0].content`, or `null`. */
    readonly param: string | null;
    /** Stable; see the table of errors. */
    readonly code: string;
  };
  /** The message once more, where Xinference's clients look for it. Not in streams. */
  readonly detail?: string;
};

export type HealthReply = {
  /** Always `ok`. */
  readonly status: "ok";
  /** Version of this program. */
  readonly version: string;
};
