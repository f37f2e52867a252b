/**
 * Makes JSON Schemas of the protocol's reply types, for the page of the API and for the tests that hold
 * replies against it. Run by `npm run protocol`; a test says when it was forgotten.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hazards, moderationCategories } from "@atalaya/protocol";
import { createGenerator } from "ts-json-schema-generator";
import { packageRoot } from "../../src/config/package.ts";

const directory = join(packageRoot(), "packages/protocol/src/gen");

/** What routes answer; types that these are made of come along. */
const roots = [
  "AbortRequestReply",
  "AddReplicaReply",
  "AddressReply",
  "AnthropicAnswer",
  "AnthropicError",
  "AnthropicEvent",
  "AnthropicTokenCount",
  "AuditOptionsReply",
  "AuditReply",
  "AutostartReply",
  "AutostartSummary",
  "BannedAddressesReply",
  "BannedKeysReply",
  "BatchList",
  "BatchObject",
  "CachedFilesReply",
  "CachedModelsReply",
  "ChatCompletion",
  "ChatCompletionChunk",
  "ClusterAuthReply",
  "ClusterInfoReply",
  "ClusterVersionReply",
  "Completion",
  "DetailedRegistration",
  "DevicesReply",
  "DoneReply",
  "EnginesReply",
  "ErrorReply",
  "FamiliesReply",
  "FileDeleted",
  "FileList",
  "FileObject",
  "HealthReply",
  "InstancesReply",
  "KeyRecord",
  "KeysReply",
  "LaunchLine",
  "LaunchReply",
  "LoginReply",
  "ModelEventsReply",
  "ModelList",
  "ModelRecord",
  "ModerationReply",
  "NewKeyReply",
  "OllamaChatLine",
  "OllamaErrorReply",
  "OllamaGenerateLine",
  "OllamaModels",
  "OllamaShown",
  "OllamaStatus",
  "OllamaVersion",
  "OwnPasswordReply",
  "PastLaunchesReply",
  "ProgressReply",
  "PromptsReply",
  "RegistrationsReply",
  "RemoveReplicaReply",
  "ReplicasReply",
  "RequestProgressReply",
  "ResponseDeleted",
  "ResponseEvent",
  "ResponseItemList",
  "ResponseObject",
  "ResultReply",
  "SetupReply",
  "SetupStatusReply",
  "StatusReply",
  "SupervisorReply",
  "ThrottleRuleReply",
  "UiConfigReply",
  "UserRecord",
  "UsersReply",
  "VersionsReply",
  "VirtualEnvironmentsReply",
  "WhoReply",
  "WorkersReply",
  "XinferenceErrorReply",
] as const;

/** Name → schema, with references as the page of the API has them. */
export function replySchemas(): Readonly<Record<string, unknown>> {
  const generator = createGenerator({
    path: join(packageRoot(), "packages/protocol/src/index.ts"),
    tsconfig: join(packageRoot(), "packages/protocol/tsconfig.json"),
    skipTypeCheck: true,
    topRef: true,
    additionalProperties: false,
    sortProps: false,
  });
  const all: Record<string, unknown> = {};
  for (const root of roots) Object.assign(all, generator.createSchema(root).definitions);
  const names = Object.keys(all).toSorted();
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, all[name]])));
  return JSON.parse(
    text.replaceAll("#/definitions/", "#/components/schemas/"),
    describeKeys,
  ) as Record<string, unknown>;
}

/** What the keys of maps mean, whose types are made of lists. */
const meanings: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(hazards).map(([code, name]) => [code, `${name}.`])),
  ...Object.fromEntries(moderationCategories.map((name) => [name, `OpenAI's category ${name}.`])),
};

function describeKeys(key: string, value: unknown): unknown {
  if (key !== "properties" || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, object>>).map(([name, schema]) => {
      const description = meanings[name];
      return [name, description === undefined ? schema : { ...schema, description }];
    }),
  );
}

/** Text of `replies.js` and `replies.d.ts`. */
export function replyModule(schemas: Readonly<Record<string, unknown>>): {
  readonly js: string;
  readonly types: string;
} {
  const names = Object.keys(schemas).map((name) => `"${name}"`);
  return {
    js: `// Made by scripts/protocol/reply-schemas.ts.\nexport const replySchemas = ${JSON.stringify(schemas, null, 2)};\n`,
    types: `// Made by scripts/protocol/reply-schemas.ts.\nexport type ReplyName = ${names.join(" | ")};\nexport declare const replySchemas: Readonly<Record<ReplyName, object>>;\n`,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { js, types } = replyModule(replySchemas());
  writeFileSync(join(directory, "replies.js"), js);
  writeFileSync(join(directory, "replies.d.ts"), types);
}
