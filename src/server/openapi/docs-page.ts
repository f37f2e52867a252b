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
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
};

type Media = Readonly<
  Record<
    string,
    { schema?: Schema; example?: unknown; "x-event-schema"?: Schema; "x-line-schema"?: Schema }
  >
>;

type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Media };
  readonly responses: Readonly<Record<string, { description: string; content?: Media }>>;
};

type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly description: string;
  readonly required: boolean;
  readonly schema: Schema;
  readonly example?: string;
};

export type PageDocument = {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a58ca; --quiet: #595f69; }
@media (prefers-color-scheme: dark) { :root { --accent: #7db3ff; --quiet: #a4abb6; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1rem; }
a { color: var(--accent); }
code, pre, .path { font-family: ui-monospace, monospace; font-size: .9em; }
code, .path { overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .3rem; padding: .6rem .8rem; overflow-x: auto; margin: .2rem 0 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; padding: 0; }
h2 { margin: 2rem 0 .2rem; }
h4 { margin: .8rem 0 .2rem; }
.quiet, .words, th { color: var(--quiet); }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: 0 .8rem; }
summary { cursor: pointer; padding: .45rem 0; }
.method { display: inline-block; min-width: 4.4rem; font-weight: 700; }
.path { margin-right: .5rem; }
.fields { overflow-x: auto; margin: .3rem 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-top: 1px solid var(--line); }
th { border: 0; font-weight: 400; }
td:first-child { width: 32%; min-width: 9rem; }
td:nth-child(2) { width: 26%; min-width: 9rem; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; border-top: 1px solid var(--line); padding: .35rem 0; }
  td, td:first-child, td:nth-child(2) { display: block; width: auto; border: 0; min-width: 0; padding: 0; }
}
:target { outline: 2px solid var(--accent); outline-offset: .3rem; }
`;

/** What a browser may do with the page: use this style, and nothing else. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function docsPage(document: PageDocument): string {
  const { info, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<section><h2 id="${id(name)}">${text(name)}</h2><p class="quiet">${words(description)}</p>${own.map(operationHtml).join("")}</section>`;
  });
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      // What is linked to stands inside: a browser opens what it lies in.
      `<details><summary><code>${text(name)}</code></summary><div id="schema-${id(name)}">${schemaHtml(schema)}</div></details>`,
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
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1). The examples ask a server at its usual address; where keys are needed, each needs <code>-H 'authorization: Bearer …'</code> too.</p>
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

type Route = { readonly path: string; readonly method: string; readonly operation: Operation };

function operationHtml(route: Route): string {
  const { path, method, operation } = route;
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const parameterRows = parameters.map((parameter) => [
    `<code>${text(parameter.name)}</code>`,
    `${text(parameter.in)}, ${typeHtml(parameter.schema)}${parameter.required ? ", required" : ""}`,
    words(parameter.description),
  ]);
  const bodies = Object.entries(requestBody?.content ?? {})
    .filter(([, { schema = {} }]) => schema.properties !== undefined)
    .map(
      ([media, { schema = {} }]) =>
        `<h4>Body, <code>${text(media)}</code></h4>${schemaHtml(schema)}`,
    );
  const answers = Object.entries(responses).map(
    ([status, { description: means, content = {} }]) => [
      `<code>${text(status)}</code>`,
      Object.entries(content)
        .map(([media, of]) => {
          const schema = of["x-event-schema"] ?? of["x-line-schema"] ?? of.schema ?? {};
          return `<code>${text(media)}</code>: ${typeHtml(schema)}`;
        })
        .join("<br>"),
      words(means),
    ],
  );
  return `<details><summary><span class="method">${method.toUpperCase()}</span> <span class="path">${text(path)}</span> <span class="words">${words(summary)}</span></summary>
<div id="${id(operationId)}">
<p>${words(description)}</p>
<h4>Example</h4><pre>${text(exampleOf(route))}</pre>
${parameterRows.length === 0 ? "" : `<h4>Parameters</h4>${table(["name", "in", "means"], parameterRows)}`}
${bodies.join("")}
<h4>Answers</h4>${table(["status", "form", "means"], answers)}
</div></details>`;
}

/** What a person can paste into a shell. */
function exampleOf({ path, method, operation }: Route): string {
  const { parameters = [], requestBody } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === "path");
  const filled = inPath.reduce(
    (sofar, { name, example = "" }) => sofar.replace(`{${name}}`, example),
    path,
  );
  const query = parameters
    .filter((parameter) => parameter.in === "query" && parameter.example !== undefined)
    .map(({ name, example = "" }) => `${name}=${encodeURIComponent(example)}`)
    .join("&");
  const address = `http://127.0.0.1:9997${filled}${query === "" ? "" : `?${query}`}`;
  const verb = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  const [[media, { example }] = ["", { example: undefined }]] = Object.entries(
    requestBody?.content ?? {},
  );
  if (example === undefined) return `curl -s${verb} ${quoted(address)}`;
  if (media === "multipart/form-data") {
    const fields = Object.entries(example as Readonly<Record<string, string>>);
    const form = fields.map(([name, value]) => ` -F ${quoted(`${name}=${value}`)}`).join("");
    return `curl -s ${quoted(address)}${form} -F file=@picture.png`;
  }
  const shownVerb = method === "post" ? "" : verb;
  return `curl -s${shownVerb} ${quoted(address)} -H 'content-type: application/json' \\\n  -d ${quoted(JSON.stringify(example, null, 2))}`;
}

/** For a shell. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function schemaHtml(schema: Schema): string {
  const rows = fieldRows(schema, "", 0);
  return rows.length === 0 ? `<p>${typeHtml(schema)}</p>` : table(["field", "type", "means"], rows);
}

/** Objects inside objects, further in than which a page tells nothing. */
const maxDepth = 10;

/** A row for each field, those further inside behind theirs: `messages[].content[].text`. */
function fieldRows(schema: Schema, prefix: string, depth: number): string[][] {
  if (depth > maxDepth) return [];
  const own = schema.properties ?? {};
  const rows = Object.entries(own).flatMap(([name, of]) => {
    const place = prefix === "" ? name : `${prefix}.${name}`;
    const isRequired = schema.required?.includes(name) === true;
    return [
      [
        // A line may end behind each part of the place.
        `<code>${text(place).replace(/(?<=[.\])])/g, "<wbr>")}</code>`,
        `${typeHtml(of)}${isRequired ? ", required" : ""}`,
        words(of.description ?? ""),
      ],
      ...fieldRows({ ...of, properties: undefined }, place, depth),
      ...(of.properties === undefined ? [] : fieldRows(of, place, depth + 1)),
    ];
  });
  const inside = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  const named =
    inside.filter(({ properties }) => properties?.["type"]?.const !== undefined).length > 1;
  return [
    ...rows,
    ...inside.flatMap((choice) => {
      const kind = named ? choice.properties?.["type"]?.const : undefined;
      const place = typeof kind === "string" ? `${prefix}(${kind})` : prefix;
      return fieldRows(choice, place, depth + 1);
    }),
    ...(schema.items === undefined ? [] : fieldRows(schema.items, `${prefix}[]`, depth + 1)),
  ];
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
  if (items !== undefined) {
    const members = depth > 3 ? "any" : typeHtml(items, depth + 1);
    return `list of ${plurals[members] ?? members}`;
  }
  // Its fields have rows of their own.
  if (properties !== undefined) return "object";
  const types = type === undefined ? "any" : typeof type === "string" ? type : type.join(" or ");
  return text(`${types}${boundsOf(schema)}`);
}

const plurals: Readonly<Record<string, string>> = {
  any: "values",
  string: "strings",
  number: "numbers",
  integer: "integers",
  object: "objects",
};

/** What stands for no bound. */
const largest = 2 ** 31 - 1;

function boundsOf(schema: Schema): string {
  const least = schema.minimum ?? schema.exclusiveMinimum;
  const most = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  // Bounds that every number of a computer has are none.
  const shown = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < largest;
  if (shown(least) && shown(most)) return `, ${least} to ${most}`;
  if (shown(least)) return `, at least ${least}`;
  return shown(most) ? `, at most ${most}` : "";
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((cell) => `<th scope="col">${text(cell)}</th>`).join("");
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  return `<div class="fields"><table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
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
