/** `GET /openapi.json` and `GET /docs`: the API, for programs and for people. */
import type { App } from "../../http.ts";
import { docsPage, docsPolicy, type PageDocument } from "../../openapi/docs-page.ts";
import { openApiDocument } from "../../openapi/document.ts";

export function apiPage(app: App, { version }: { readonly version: string }): void {
  let made: { readonly json: string; readonly html: string } | undefined;
  const make = (): NonNullable<typeof made> => {
    const json = JSON.stringify(openApiDocument({ version }));
    // As it is read back it has the form of any such document.
    return { json, html: docsPage(JSON.parse(json) as PageDocument) };
  };

  app.get("/openapi.json", async (_request, reply) => {
    made ??= make();
    return await reply.type("application/json; charset=utf-8").send(made.json);
  });

  app.get("/docs", async (_request, reply) => {
    made ??= make();
    return await reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", docsPolicy)
      .header("x-content-type-options", "nosniff")
      .header("referrer-policy", "no-referrer")
      .send(made.html);
  });
}
