/** A small client for an Atalaya server, on `fetch` alone. */
export { ApiError } from "./api-error.ts";
export { AtalayaClient } from "./client.ts";
export type { Batches, Files } from "./files.ts";
export type { Responses } from "./responses.ts";
export type { CallOptions, ClientOptions } from "./transport.ts";
