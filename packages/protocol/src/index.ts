/** The words on the wire between a server and its clients. The contract between engines is `./engine`. */
export * from "./anthropic.ts";
export * from "./batches.ts";
export * from "./chat.ts";
export * from "./completions.ts";
export * from "./error.ts";
export * from "./files.ts";
export * from "./launch.ts";
export * from "./limits.ts";
export * from "./models.ts";
export * from "./moderations.ts";
export * from "./ollama.ts";
export * from "./ollama-replies.ts";
export * from "./pictures.ts";
export * from "./receipt.ts";
export * from "./responses.ts";
export * from "./xinference.ts";
export * from "./xinference-replies.ts";
