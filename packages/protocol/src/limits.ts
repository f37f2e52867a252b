/** What one request may hold. Each limit stands here once; the sentences that refuse name its value. */
export const requestLimits = {
  maxMessages: 1_024,
  maxPartsPerMessage: 256,
  maxImages: 8,
  /** Of one picture's file, decoded from base64. */
  maxImageBytes: 20 * 1024 * 1024,
  maxStops: 4,
  maxStopLength: 256,
  maxTopLogprobs: 20,
  /** Answers to one prompt, and candidates for them. */
  maxChoices: 32,
  /** Plain prompts of one request. */
  maxPrompts: 128,
  /** Answers of one request with several prompts, candidates included. */
  maxAnswers: 256,
  /** Of one prompt that comes as token ids: the longest context of this family. */
  maxPromptTokenIds: 131_072,
  /** Texts that an answer is chosen from. */
  maxOptions: 256,
  /** Functions that an answer may call, and calls in one message. */
  maxTools: 128,
  maxBiases: 1_024,
  maxStopTokens: 64,
  maxModelUidLength: 100,
} as const;
