/** The page of the API in OpenAPI 3.1, made of the contract's schemas. */
import { type ReplyName, replySchemas } from "@atalaya/protocol/replies";
import { z } from "zod";
import {
  type Content,
  contract,
  type Dialect,
  type RouteContract,
  statusesOf,
} from "./contract.ts";

type Json = Readonly<Record<string, unknown>>;

const errorOf: Readonly<Record<Dialect, ReplyName>> = {
  OpenAI: "ErrorReply",
  Anthropic: "AnthropicError",
  Ollama: "OllamaErrorReply",
  Xinference: "XinferenceErrorReply",
  Operations: "ErrorReply",
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
    tags: [...new Set(Object.values(contract).map(({ dialect }) => dialect))].map((name) => ({
      name,
    })),
    paths,
    components: { schemas: replySchemas },
  };
}

function operation(route: string, of: RouteContract): Json {
  const [, path = ""] = route.split(" ");
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const parameters = [
    ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...(of.query === undefined ? [] : queryParameters(of.query)),
  ];
  return {
    operationId: operationId(route),
    summary: of.summary,
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

function queryParameters(query: z.ZodType): Json[] {
  // Everything in a query is text at first; what it is read as says more.
  const { properties = {} } = inputSchema(query, "output") as {
    properties?: Readonly<Record<string, Json>>;
  };
  const { required = [] } = inputSchema(query) as { required?: readonly string[] };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function requestBody({ body, form }: RouteContract): Json {
  if (body !== undefined) {
    const content = { "application/json": { schema: inputSchema(body) } };
    return { requestBody: { required: true, content } };
  }
  if (form === undefined) return {};
  const { properties = {}, required = [] } = inputSchema(form) as {
    properties?: Json;
    required?: readonly string[];
  };
  const schema = {
    type: "object",
    properties: { ...properties, file: { type: "string", format: "binary" } },
    required: [...required, "file"],
  };
  return { requestBody: { required: true, content: { "multipart/form-data": { schema } } } };
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
