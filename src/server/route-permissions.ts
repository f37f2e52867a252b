/**
 * What a request to each route needs, in one table: whoever reads it knows who may do what.
 *
 * A route that does not stand here, and declares nothing itself, is for administrators alone; a test
 * walks all routes and asks for a line.
 */
import type { FastifyRequest } from "fastify";
import type { Permission } from "../identity/permissions.ts";

/** `public`: anybody. `known`: whoever has a key or an account, whatever it may do. */
export type RouteNeed = Permission | "public" | "known";

type Rule = {
  readonly methods: RegExp;
  /** Of the route's pattern, not of what was asked for. */
  readonly path: RegExp;
  readonly need: RouteNeed;
};

const rule = (methods: string, path: string, need: RouteNeed): Rule => ({
  methods: new RegExp(`^(?:${methods})$`),
  path: new RegExp(`^(?:${path})$`),
  need,
});

/** The first that fits counts. */
const rules: readonly Rule[] = [
  rule("GET|HEAD", "/|/health|/status|/api/version", "public"),
  rule("GET|HEAD", "/v1/cluster/(auth|ui_config)", "public"),
  rule("POST", "/token|/v1/auth/refresh|/v1/admin/setup", "public"),
  rule("GET|HEAD", "/v1/admin/setup/status", "public"),
  rule("GET|HEAD|POST", "/v1/auth/.*", "known"),

  // Questions to models, in every dialect.
  rule("POST", "/v1/(chat/)?completions|/v1/moderations", "models:read"),
  rule("GET|HEAD|POST|DELETE", "/v1/(responses|files|batches)(/.*)?", "models:read"),
  rule("POST", "(/anthropic)?/v1/messages(/count_tokens)?", "models:read"),
  rule("POST", "/api/(chat|generate|embed|embeddings)", "models:read"),
  rule(
    "POST",
    "/v1/(embeddings|rerank|flexible/infers)|/v1/(images|audio|video)/.*|/sdapi/.*",
    "models:read",
  ),
  rule("POST", "/v1/models/:\\w+/requests/:\\w+/abort", "models:read"),
  rule("GET|HEAD", "/v1/models/:\\w+/(events|progress)|/v1/requests/.*", "models:read"),

  rule("POST", "/v1/convert_ids_to_tokens|/v1/ui/:\\w+", "models:read"),

  // What there is.
  rule("GET|HEAD", "/v1/address", "models:list"),
  rule("GET|HEAD", "/v1/models|/v1/models/(?!.*instance$).*|/v1/engines/.*", "models:list"),
  rule("GET|HEAD", "/anthropic/v1/models(/.*)?", "models:list"),
  rule(
    "GET|HEAD",
    "/v1/model_registrations/.*|/v1/launch_history|/v1/cluster/devices",
    "models:list",
  ),
  rule("GET|HEAD", "/v1/autostart/models/summary", "models:list"),
  rule("GET|HEAD|POST", "/api/(tags|ps|show)", "models:list"),

  // Launching and terminating.
  rule(
    "POST",
    "/v1/launch(/.*)?|/v1/models|/v1/models/instance|/api/(pull|copy|create|push)",
    "models:write",
  ),
  rule("POST|DELETE", "/v1/models/:\\w+(/(cancel|reload|replicas.*))?", "models:write"),
  rule("DELETE", "/api/delete", "models:write"),
  rule("GET|HEAD|POST|DELETE", "/v1/(autostart|launch_history)(/.*)?", "models:write"),

  rule("POST|DELETE", "/v1/model_registrations/.*", "models:register"),
  rule("POST", "/v1/models/(llm/auto-register|update_type)", "models:register"),
  rule("GET|HEAD", "/v1/cache/.*", "cache:list"),
  rule("DELETE", "/v1/cache/.*", "cache:delete"),
  rule("GET|HEAD", "/v1/virtualenvs.*", "virtualenv:list"),
  rule("DELETE", "/v1/virtualenvs.*", "virtualenv:delete"),
  rule("GET|HEAD", "/metrics|/ready|/docs.*|/openapi.*", "monitor:view"),
  rule("GET|HEAD", "/v1/events.*|/v1/cluster/logs.*", "logs:list"),

  // Accounts and keys; what exactly may be given to whom, the routes decide.
  rule("GET|HEAD|POST|PUT|DELETE", "/v1/admin/keys(/.*)?", "keys:manage"),
  rule("GET|HEAD|POST|PUT|PATCH|DELETE", "/v1/admin/users(/.*)?", "users:manage"),
  rule(
    "GET|HEAD|POST|PUT|DELETE",
    "/v1/(admin|audit|cluster|workers|supervisor|clusters).*",
    "admin",
  ),
];

/** @returns `undefined` when no rule is about that route */
export function needOf(method: string, path: string): RouteNeed | undefined {
  return rules.find((one) => one.methods.test(method) && one.path.test(path))?.need;
}

/** What an account that must change its password may do meanwhile, beside what everybody may. */
export function isForPasswordChange(method: string, path: string): boolean {
  return [
    "GET /v1/auth/me",
    "HEAD /v1/auth/me",
    "POST /v1/auth/password",
    "POST /v1/auth/logout",
  ].includes(`${method} ${path}`);
}

const onlyLooks = /^\/v1\/(batches|responses\/|requests|models\/)/;

/** Whether a request is work by itself: a question, or an upload; a batch's lines are requests of their own. */
export function isWork({ routeOptions, method }: FastifyRequest): boolean {
  return method === "POST" && !onlyLooks.test(routeOptions.url ?? "");
}

/** What this request needs: what its route declares, else the table; who forgot both kept it for administrators. */
export function needOfRequest({ routeOptions, method }: FastifyRequest): RouteNeed {
  const { config, url = "" } = routeOptions;
  return config.need ?? needOf(method, url) ?? "admin";
}
