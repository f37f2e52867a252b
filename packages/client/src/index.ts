/** A small client for an Atalaya server, on `fetch` alone. */
export { ApiError } from "./api-error.ts";
export { AtalayaClient, type ClientOptions } from "./client.ts";
