/**
 * `/v1/audit`: what happened to models, keys and accounts, searched. Single requests are in the log on standard
 * error and are not kept.
 */
import { AuditQuery, type AuditRecord, type AuditReply } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { StoredEvent } from "../../../state/event-log.ts";
import { withoutDirectories } from "../../error-reply.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import type { XinferenceParts } from "./services.ts";

/** Category → how its events' types begin. */
const categories = {
  model: ["model-", "worker-", "replicas-"],
  key: ["key-"],
  account: ["account-"],
  login: ["logged-in", "login-", "refresh-"],
} as const satisfies Record<AuditRecord["category"], readonly string[]>;

/** What Xinference's page filters by, and only single requests have. */
const ofRequests = ["endpoint", "status", "status_code", "latency", "client_ip", "api_key"];

export function audit(app: App, { events }: XinferenceParts): void {
  app.get("/v1/audit/search", async ({ query }): Promise<AuditReply> => {
    refuseOfRequests(query);
    const wanted = parse(AuditQuery, query);
    const found = await events.list({
      actor: wanted.user,
      subject: wanted.model,
      types: wanted.category && categories[wanted.category],
      from: wanted.start_time === undefined ? undefined : new Date(wanted.start_time),
      until: wanted.end_time === undefined ? undefined : new Date(wanted.end_time),
      before: wanted.before,
      limit: wanted.limit,
    });
    const last = found.length < wanted.limit ? undefined : found.at(-1);
    return { records: found.map(toRecord), next_before: last?.id ?? null };
  });

  app.get("/v1/audit/filter-options", async () => {
    const { actors, subjects } = await events.names();
    return { categories: Object.keys(categories), users: actors, models: subjects };
  });
}

function refuseOfRequests(query: unknown): void {
  const asked = ofRequests.find(
    (name) => typeof query === "object" && query !== null && name in query,
  );
  if (asked === undefined) return;
  throw new PlatformError(
    "unsupported_parameter",
    `Requests are not kept, so they cannot be searched by "${asked}"; the log on standard error has a line for each. What happened to models, keys and accounts can be: by user, model, category, start_time and end_time.`,
    { details: { param: asked } },
  );
}

function toRecord({ id, at, type, subject, actor, details }: StoredEvent): AuditRecord {
  const category = Object.entries(categories).find(([, beginnings]) =>
    beginnings.some((beginning) => type.startsWith(beginning)),
  )?.[0] as AuditRecord["category"] | undefined;
  return {
    id,
    timestamp: at.toISOString(),
    category: category ?? "model",
    event: type,
    subject: subject ?? null,
    user: actor ?? null,
    details: Object.fromEntries(
      Object.entries(details).map(([name, value]) => [
        name,
        typeof value === "string" ? withoutDirectories(value) : value,
      ]),
    ),
  };
}
