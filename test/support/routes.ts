/** Which routes an app has. */
import type { App } from "../../src/server/http.ts";

/** Such as `GET /v1/models/{uid}`, sorted. */
export async function routesOf(app: App): Promise<string[]> {
  await app.ready();
  return flattenRoutes(app.printRoutes({ commonPrefix: false })).toSorted();
}

/** Fastify's tree of paths, each indented by four below its parent → `GET /path/{parameter}`. */
function flattenRoutes(tree: string): string[] {
  const parents: string[] = [];
  const routes: string[] = [];
  for (const [, indent = "", part = "", methods = ""] of tree.matchAll(
    /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/gm,
  )) {
    parents.splice(indent.length / 4, Number.POSITIVE_INFINITY, part);
    const path = parents.join("").replace(/:(\w+)/g, "{$1}");
    routes.push(...methods.split(", ").map((method) => `${method} ${path}`));
  }
  return routes.filter((route) => /^(?!HEAD)[A-Z]+ /.test(route));
}
