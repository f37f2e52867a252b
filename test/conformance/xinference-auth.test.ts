/** Xinference's own client, of both generations, on a server that asks who it is: by the old file of users, and by our accounts. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { FileAccounts } from "../../src/identity/auth-config.ts";
import { Platform, parsePermissions } from "../../src/platform.ts";
import { lackOfPython, testPython } from "../support/python.ts";
import { tinyCheckpoint } from "../support/serve.ts";
import { olderXinferenceClient } from "./clients/python.ts";

const script = fileURLToPath(new URL("clients/python/xinference_auth.py", import.meta.url));
const missing = await lackOfPython(["xinference_client", "openai"]);
const log = createLogger("silent");

const permissions = {
  reader: ["models:list"],
  // As the older generation calls what is now models:write.
  operator: ["models:list", "models:read", "models:start", "models:stop"],
  admin: ["admin"],
} as const;
type Who = keyof typeof permissions;
type Access = { readonly username: string; readonly password: string; readonly key: string };

const names = ["reader", "operator", "admin"] as const;
const passwordOf = (who: Who): string => `the password of ${who}`;
const fileKeys = {
  reader: "sk-72tkvudyGLPMi",
  operator: "sk-ZOTLIY4gt9w11",
  admin: "sk-abcdefghijklm",
};

const file = new FileAccounts({
  auth_config: {
    algorithm: "HS256",
    secret_key: "09d25e094faa6ca2556c818166b7a956",
    token_expire_in_minutes: 30,
  },
  user_config: names.map((who) => ({
    username: who,
    password: passwordOf(who),
    permissions: [...permissions[who]],
    api_keys: [fileKeys[who]],
  })),
});

async function accountsOf(platform: Platform): Promise<Record<Who, Access>> {
  const { accounts, keys } = platform.identity;
  const access = names.map(async (who): Promise<[Who, Access]> => {
    const may = { permissions: parsePermissions(permissions[who]) };
    await accounts.create({ username: who, password: passwordOf(who), ...may }, "test");
    const { secret } = await keys.create({ name: who, ...may }, "test");
    return [who, { username: who, password: passwordOf(who), key: secret }];
  });
  return Object.fromEntries(await Promise.all(access)) as Record<Who, Access>;
}

/** An account with the password that somebody has given it. */
async function noviceOf({ identity }: Platform): Promise<Omit<Access, "key">> {
  const access = { username: "novice", password: "a password from above" };
  const permissions = parsePermissions(["models:list"]);
  await identity.accounts.create({ ...access, permissions, mustChangePassword: true }, "test");
  return access;
}

const accountsOfFile = Object.fromEntries(
  names.map((who) => [who, { username: who, password: passwordOf(who), key: fileKeys[who] }]),
);

test.for([
  { store: "accounts", client: "4.1", kind: "sync", path: undefined },
  { store: "accounts", client: "4.1", kind: "async", path: undefined },
  { store: "accounts", client: "0.16", kind: "sync", path: olderXinferenceClient },
  { store: "file of users", client: "4.1", kind: "sync", path: undefined },
  { store: "file of users", client: "0.16", kind: "sync", path: olderXinferenceClient },
] as const)(
  "$kind client $client, by the $store",
  { timeout: 120_000 },
  async ({ store, kind, path }, { skip }) => {
    skip(missing !== undefined, `missing: ${missing}`);
    const isFile = store === "file of users";
    await using platform = new Platform({
      log,
      identity: { isRequired: true, fileAccounts: isFile ? file : undefined },
    });
    const facts = {
      url: await platform.listen({ host: "127.0.0.1", port: 0 }),
      checkpoint: tinyCheckpoint,
      ...(isFile ? accountsOfFile : await accountsOf(platform)),
      ...(isFile ? {} : { novice: await noviceOf(platform) }),
    };
    const env = { ...process.env, ...(path !== undefined && { PYTHONPATH: path }) };
    const { stdout } = await promisify(execFile)(
      testPython,
      [script, kind, JSON.stringify(facts)],
      {
        env,
      },
    );
    expect(stdout.trim().split("\n")).toEqual([
      "who is nobody is kept out",
      "a wrong password is told so",
      "who may launch does, by a login",
      "who may only look is let look",
      "who may launch does, by a key",
      "an administrator may everything",
      "OpenAI's client has the errors it knows",
      ...(isFile ? [] : ["who must change the password is told how, and then works"]),
    ]);
  },
);
