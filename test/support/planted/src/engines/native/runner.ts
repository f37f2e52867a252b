// Breaks engines-do-not-know-each-other.
import { server } from "../vllm/server.ts";

export const runner: string = server;
