/** The page of the API in OpenAPI 3.1, made of the contract's schemas. */
import { type ReplyName, replySchemas } from "@atalaya/protocol/replies";
import { z } from "zod";
import {
  type Content,
  contract,
  type Dialect,
  type RouteContract,
  type RouteExample,
  statusesOf,
} from "./contract.ts";
import { pathParameters } from "./path-parameters.ts";

type Json = Readonly<Record<string, unknown>>;

const errorOf: Readonly<Record<Dialect, ReplyName>> = {
  OpenAI: "ErrorReply",
  Anthropic: "AnthropicError",
  Ollama: "OllamaErrorReply",
  Xinference: "XinferenceErrorReply",
  Operations: "ErrorReply",
};

/** In the order of the page. */
const dialects: Readonly<Record<Dialect, string>> = {
  OpenAI: "What OpenAI's clients ask. Errors have OpenAI's form.",
  Anthropic: "What Anthropic's clients ask. Errors have Anthropic's form.",
  Ollama: "What Ollama's clients ask. Errors are a sentence in `error`.",
  Xinference:
    "What Xinference's clients ask: launching, the registry, the cache, accounts and keys. Errors have OpenAI's form, and the sentence once more in `detail`.",
  Operations: "For whoever runs the server.",
};

const meanings: Readonly<Record<number, string>> = {
  400: "The request cannot be: its fields are wrong, or ask for what this server does not do.",
  401: "No key where one is asked for, or one that is not known.",
  403: "Not allowed: a web page of another origin, or more than the key may.",
  404: "There is nothing of that name.",
  409: "Something of that name is there already.",
  413: "The body is too large.",
  415: "The body is of another type.",
  421: "The Host header names another machine.",
  429: "Too much at once, more than a key may take, or too many wrong keys. Try again after `retry-after` seconds.",
  431: "Too many headers.",
  502: "What the model runs in has failed.",
  503: "Not now: the model starts or stops, or memory is short.",
  504: "What the model runs in did not answer in time.",
};

export function openApiDocument({ version }: { readonly version: string }): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [route, of] of Object.entries(contract)) {
    const [method = "", path = ""] = route.split(" ");
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(route, of) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Atalaya",
      version,
      description:
        "Llama 3.2 Vision in the dialects of OpenAI, Anthropic, Ollama and Xinference. Fields that are known and not honoured are refused by name; unknown ones are listed in the header x-ignored-fields.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(dialects).map(([name, description]) => ({ name, description })),
    paths,
    components: { schemas: replySchemas },
  };
}

function operation(route: string, of: RouteContract): Json {
  const [, path = ""] = route.split(" ");
  const parameters = [
    ...pathParameters(path).map(({ name, description, example }) => ({
      name,
      in: "path",
      description,
      required: true,
      schema: { type: "string" },
      example,
    })),
    ...(of.query === undefined ? [] : queryParameters(of.query, of.example)),
  ];
  return {
    operationId: operationId(route),
    summary: of.summary,
    description: of.description,
    tags: [of.dialect],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBody(of),
    responses: {
      ...(of.reply === undefined ? {} : { 200: success(of.reply) }),
      ...Object.fromEntries(statusesOf(route).map((status) => [status, failure(status, of)])),
      default: {
        description: "Any other failure, in the same form.",
        content: jsonContent(errorOf[of.dialect]),
      },
    },
  };
}

function operationId(route: string): string {
  const [method = "", path = ""] = route.split(" ");
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return [method.toLowerCase(), ...words].join("_");
}

/** As a client may send it, before defaults and conversions. */
function inputSchema(schema: z.ZodType, io: "input" | "output" = "input"): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return json;
}

function queryParameters(query: z.ZodType, example: RouteExample | undefined): Json[] {
  const examples = new URLSearchParams(
    example !== undefined && "query" in example ? example.query : "",
  );
  // Everything in a query is text at first; what it is read as says more.
  const { properties = {} } = inputSchema(query, "output") as {
    properties?: Readonly<Record<string, Json>>;
  };
  const { required = [] } = inputSchema(query) as { required?: readonly string[] };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    // A list is written with brackets behind its name.
    const value = examples.get(name) ?? examples.get(`${name}[]`);
    return {
      name,
      in: "query",
      description,
      required: required.includes(name),
      schema,
      ...(value !== null && { example: value }),
    };
  });
}

function requestBody({ body, form, example: given }: RouteContract): Json {
  const example = given !== undefined && "body" in given ? { example: given.body } : {};
  if (body !== undefined) {
    const content = { "application/json": { schema: inputSchema(body), ...example } };
    return { requestBody: { required: true, content } };
  }
  if (form === undefined) {
    // Of routes that read nothing of it: clients send one all the same.
    if (given === undefined || "query" in given) return {};
    return { requestBody: { content: { "application/json": { schema: {}, ...example } } } };
  }
  const { properties = {}, required = [] } = inputSchema(form) as {
    properties?: Json;
    required?: readonly string[];
  };
  const file = { type: "string", format: "binary", description: "The file itself." };
  const schema = {
    type: "object",
    properties: { ...properties, file },
    required: [...required, "file"],
  };
  return {
    requestBody: { required: true, content: { "multipart/form-data": { schema, ...example } } },
  };
}

function success(reply: Content): Json {
  if ("null" in reply) {
    return { description: "Done.", content: { "application/json": { schema: { type: "null" } } } };
  }
  if ("nothing" in reply) return { description: "Done." };
  if ("bytes" in reply) {
    const schema = { type: "string", format: "binary" };
    return { description: "The bytes.", content: { "application/octet-stream": { schema } } };
  }
  if ("text" in reply) {
    return { description: "The page.", content: { [reply.text]: { schema: {} } } };
  }
  if ("lines" in reply) {
    const { lines, isEither = false } = reply;
    return {
      description: isEither ? "A line at a time, or whole." : "A line at a time.",
      content: {
        "application/x-ndjson": { schema: { type: "string" }, "x-line-schema": reference(lines) },
        ...(isEither ? jsonContent(lines) : {}),
      },
    };
  }
  if (!("events" in reply)) return { description: "Done.", content: jsonContent(reply.json) };
  return {
    description: "Whole; or, with `stream`, as server-sent events, each of whose data is JSON.",
    content: {
      ...jsonContent(reply.json),
      "text/event-stream": {
        schema: { type: "string" },
        "x-event-schema": reference(reply.events),
      },
    },
  };
}

function failure(status: number, { dialect }: RouteContract): Json {
  return {
    description: meanings[status] ?? "Refused.",
    content: jsonContent(errorOf[dialect]),
  };
}

function jsonContent(name: ReplyName): Json {
  return { "application/json": { schema: reference(name) } };
}

function reference(name: ReplyName): Json {
  return { $ref: `#/components/schemas/${name}` };
}
