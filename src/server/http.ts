import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** A liveness probe: pages of foreign origins may ask it. */
    readonly isPublicProbe?: boolean;
    /** Its body goes to the disk as it comes and takes no memory. */
    readonly isStreamedBody?: boolean;
  }
}

/** What a route is registered on. */
export type App = FastifyInstance;
