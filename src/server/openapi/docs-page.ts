/** The page of the API for people: one HTML file without scripts, fonts or pictures from anywhere. */
import { createHash } from "node:crypto";

type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
};

type Media = Readonly<
  Record<string, { schema?: Schema; "x-event-schema"?: Schema; "x-line-schema"?: Schema }>
>;

type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Media };
  readonly responses: Readonly<Record<string, { description: string; content?: Media }>>;
};

export type PageDocument = {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a58ca; }
@media (prefers-color-scheme: dark) { :root { --accent: #7db3ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
a { color: var(--accent); }
code, summary .path { font-family: ui-monospace, monospace; font-size: .92em; }
nav ul { columns: 20rem; padding-left: 1rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: 0 .8rem; }
summary { cursor: pointer; padding: .5rem 0; }
summary .method { display: inline-block; min-width: 4.2rem; font-weight: 700; }
summary .words { opacity: .8; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-top: 1px solid var(--line); }
td:first-child { white-space: nowrap; }
h4 { margin: .8rem 0 .2rem; }
:target { outline: 2px solid var(--accent); }
`;

/** What a browser may do with the page: use this style, and nothing else. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function docsPage(document: PageDocument): string {
  const { info, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = tags.map(({ name }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<section><h2 id="${id(name)}">${text(name)}</h2>${own.map(operationHtml).join("")}</section>`;
  });
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${id(name)}"><summary><code>${text(name)}</code></summary>${schemaHtml(schema)}</details>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(info.title)} API</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${text(info.title)} ${text(info.version)}</h1>
<p>${words(info.description)}</p>
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
</header>
<nav aria-label="Contents"><ul>${tags.map(({ name }) => `<li><a href="#${id(name)}">${text(name)}</a></li>`).join("")}<li><a href="#schemas">Schemas</a></li></ul></nav>
<main>
${sections.join("\n")}
<section><h2 id="schemas">Schemas</h2>${schemas.join("")}</section>
</main>
</body>
</html>
`;
}

function operationHtml({
  path,
  method,
  operation,
}: {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}): string {
  const { operationId, summary, parameters = [], requestBody, responses } = operation;
  const parameterRows = parameters.map(({ name, in: place, required, schema }) => [
    `<code>${text(name)}</code>`,
    `${text(place)}${required ? ", required" : ""}`,
    typeHtml(schema),
  ]);
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([media, { schema = {} }]) => `<h4>Body, <code>${text(media)}</code></h4>${schemaHtml(schema)}`,
  );
  const answers = Object.entries(responses).map(([status, { description, content = {} }]) => [
    `<code>${text(status)}</code>`,
    words(description),
    Object.entries(content)
      .map(([media, of]) => {
        const schema = of["x-event-schema"] ?? of["x-line-schema"] ?? of.schema ?? {};
        return `<code>${text(media)}</code>: ${typeHtml(schema)}`;
      })
      .join("<br>"),
  ]);
  return `<details id="${id(operationId)}"><summary><span class="method">${method.toUpperCase()}</span> <span class="path">${text(path)}</span> <span class="words">${words(summary)}</span></summary>
${parameterRows.length === 0 ? "" : `<h4>Parameters</h4>${table(["name", "in", "type"], parameterRows)}`}
${bodies.join("")}
<h4>Answers</h4>${table(["status", "means", "form"], answers)}
</details>`;
}

function schemaHtml(schema: Schema): string {
  const { properties, required = [] } = schema;
  if (properties === undefined) return `<p>${typeHtml(schema)}</p>`;
  const rows = Object.entries(properties).map(([name, of]) => [
    `<code>${text(name)}</code>`,
    `${typeHtml(of)}${required.includes(name) ? ", required" : ""}`,
    words(of.description ?? ""),
  ]);
  return table(["field", "type", ""], rows);
}

/** A schema in a few words. */
function typeHtml(schema: Schema, depth = 0): string {
  const { $ref, anyOf, oneOf, allOf, items, properties, type } = schema;
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1) ?? "";
    return `<a href="#schema-${id(name)}">${text(name)}</a>`;
  }
  if (schema.const !== undefined) return `<code>${text(JSON.stringify(schema.const))}</code>`;
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => `<code>${text(JSON.stringify(value))}</code>`).join(" or ");
  }
  const choices = anyOf ?? oneOf ?? allOf;
  if (choices !== undefined) {
    const words = [...new Set(choices.map((choice) => typeHtml(choice, depth + 1)))];
    return words.join(" or ");
  }
  if (items !== undefined) return `list of ${depth > 3 ? "values" : typeHtml(items, depth + 1)}`;
  if (properties !== undefined) {
    const names = Object.keys(properties).map((name) => `<code>${text(name)}</code>`);
    return `object with ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;
  }
  const types = type === undefined ? "any" : typeof type === "string" ? type : type.join(" or ");
  return text(`${types}${boundsOf(schema)}`);
}

function boundsOf(schema: Schema): string {
  const least = schema.minimum ?? schema.exclusiveMinimum;
  const most = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  // Bounds that every number of a computer has are none.
  const shown = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < 2 ** 53 - 1;
  if (shown(least) && shown(most)) return `, ${least} to ${most}`;
  if (shown(least)) return `, at least ${least}`;
  return shown(most) ? `, at most ${most}` : "";
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((cell) => `<th scope="col">${text(cell)}</th>`).join("");
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

/** Prose, in which backticks stand for code. */
function words(value: string): string {
  return text(value).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function text(value: string): string {
  return value
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function id(value: string): string {
  return value.replace(/[^A-Za-z0-9_-]/g, "-");
}
