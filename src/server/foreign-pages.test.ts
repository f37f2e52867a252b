/** Every route, as a web page that is not ours would ask it, from a browser on this machine. */
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { routesOf } from "../../test/support/routes.ts";
import { createLogger } from "../base/logger.ts";
import { Platform } from "../platform.ts";
import type { App } from "./http.ts";
import { needOf } from "./route-permissions.ts";

// Hundreds of requests each.
vi.setConfig({ testTimeout: 120_000 });

type Route = { readonly method: string; readonly url: string; readonly pattern: string };

let stops = 0;
let servers: { readonly [name: string]: Platform };
let routes: readonly Route[];
const apps: App[] = [];

beforeAll(async () => {
  const log = createLogger("silent");
  const common = { log, stop: () => stops++ };
  servers = {
    open: new Platform(common),
    "that asks for keys": new Platform({ ...common, identity: { isRequired: true } }),
    "that lets one other origin in": new Platform({
      ...common,
      access: { corsOrigins: ["https://chat.example.org"] },
    }),
  };
  routes = (await routesOf(appOf("open"))).flatMap((route) => {
    const [method = "", path = ""] = route.split(" ");
    const url = path.replace(/\{\w+\}|\*/g, "x");
    const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
    return [
      { method, url, pattern },
      ...(method === "GET" ? [{ method: "HEAD", url, pattern }] : []),
    ];
  });
});
afterAll(async () => {
  for (const app of apps) await app.close();
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
});

function appOf(name: string): App {
  const app = servers[name]?.app({ host: "127.0.0.1", isOllamaPort: true });
  if (app === undefined) throw new Error(`no server ${name}`);
  apps.push(app);
  return app;
}

/** These alone may be asked by anybody: they tell that a server is there, and do nothing. */
const isProbe = ({ url }: Route): boolean => ["/health", "/status"].includes(url);

async function askAll(
  app: App,
  headers: Readonly<Record<string, string>>,
  method?: string,
): Promise<readonly { route: Route; status: number; allows: string[] }[]> {
  const answers = [];
  for (const route of routes) {
    const reply = await app.inject({
      method: (method ?? route.method) as NonNullable<InjectOptions["method"]>,
      url: route.url,
      headers: { host: "localhost:9997", ...headers },
      remoteAddress: "127.0.0.1",
      ...(route.method === "POST" && method === undefined ? { payload: {} } : {}),
    });
    const allows = Object.keys(reply.headers).filter((name) => name.startsWith("access-control"));
    answers.push({ route, status: reply.statusCode, allows });
  }
  return answers;
}

const shown = (answers: readonly { route: Route; status: number; allows: string[] }[]): string[] =>
  answers.map(({ route, status, allows }) => `${route.method} ${route.url}: ${status} ${allows}`);

describe.each(["open", "that asks for keys", "that lets one other origin in"])(
  "every route of a server %s",
  (name) => {
    test.each([
      { why: "a page of another origin (AU-14)", headers: { origin: "https://evil.example" } },
      { why: "an opaque page (AU-16)", headers: { origin: "null" } },
      { why: "a page of another port", headers: { origin: "http://localhost:3000" } },
      { why: "a link from another site", headers: { "sec-fetch-site": "cross-site" } },
    ])("refuses $why, and allows it nothing", async ({ headers }) => {
      const answers = await askAll(appOf(name), headers);
      expect(answers.length).toBeGreaterThan(100);
      const wrong = answers.filter(
        ({ route, status, allows }) => status !== (isProbe(route) ? 200 : 403) || allows.length > 0,
      );
      expect(shown(wrong)).toEqual([]);
    });

    test("has no answer for a preflight of a foreign page (AU-15)", async () => {
      const preflight = {
        origin: "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
      };
      const answers = await askAll(appOf(name), preflight, "OPTIONS");
      const wrong = answers.filter(({ status, allows }) => status < 400 || allows.length > 0);
      expect(shown(wrong)).toEqual([]);
    });

    test("refuses a name that somebody else has pointed here (AU-13)", async () => {
      const asksForKeys = name === "that asks for keys";
      for (const host of [
        "evil.example",
        "localhost.evil.example:9997",
        "127.0.0.1.evil.example",
      ]) {
        const wrong = (await askAll(appOf(name), { host })).filter(({ route, status, allows }) => {
          const isPublic = needOf(route.method, route.pattern) === "public";
          // Without a key the answer to that is the same under every name.
          return status !== (asksForKeys && !isPublic ? 401 : 421) || allows.length > 0;
        });
        expect(shown(wrong)).toEqual([]);
      }
    });

    test("has done nothing of it, and nor does an unknown one answer", async () => {
      const { supervisor, identity } = servers[name] as Platform;
      expect(supervisor.list()).toEqual([]);
      expect(await identity.accounts.list()).toEqual([]);
      expect(await identity.keys.list()).toEqual([]);
      expect(stops).toBe(0);
      const unknown = await appOf(name).inject({
        url: "/no/such/route",
        headers: { host: "localhost", origin: "https://evil.example" },
      });
      expect(unknown.statusCode).toBe(403);
      const elsewhere = await appOf(name).inject({
        url: "/no/such/route",
        headers: { host: "evil.example" },
      });
      expect(elsewhere.statusCode).toBe(421);
    });
  },
);
