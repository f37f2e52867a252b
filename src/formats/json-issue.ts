import type { z } from "zod";
import { shown } from "./shown.ts";

/** What a schema found wrong in a file's JSON, with the key and the value, to follow "it ". */
export function describeJsonIssue(json: unknown, error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined || issue.path.length === 0) return "is no JSON object";
  const key = issue.path.join(".");
  const value = valueAt(json, issue.path);
  if (value === undefined) return `lacks "${shown(key)}"`;
  return `has "${shown(key)}": ${shown(JSON.stringify(value))} (${shown(issue.message)})`;
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    json,
  );
}
