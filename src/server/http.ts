import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** A liveness probe: pages of foreign origins may ask it. */
    readonly isPublicProbe?: boolean;
  }
}

/** What a route is registered on. */
export type App = FastifyInstance;
