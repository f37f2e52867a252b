import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot, packageVersion } from "./package.ts";
import { isLoopback, readSettings } from "./settings.ts";

describe("settings", () => {
  test("have defaults", () => {
    expect(readSettings({}, {})).toMatchObject({
      host: "127.0.0.1",
      port: 9997,
      endpoint: "http://127.0.0.1:9997",
      logLevel: "warn",
      fetchMedia: true,
      mediaRoot: undefined,
    });
  });

  test("allow one folder of pictures, and turn fetching off", () => {
    expect(readSettings({ fetchMedia: false, mediaRoot: packageRoot() }, {})).toMatchObject({
      fetchMedia: false,
      mediaRoot: packageRoot(),
    });
    expect(readSettings({}, { ATALAYA_MEDIA_ROOT: packageRoot() }).mediaRoot).toBe(packageRoot());
  });

  test("come from the environment, and a flag wins", () => {
    const env = { ATALAYA_PORT: "8000", ATALAYA_HOST: "::1", ATALAYA_LOG_LEVEL: "info" };
    expect(readSettings({ port: "8001" }, env)).toMatchObject({
      host: "::1",
      port: 8001,
      endpoint: "http://[::1]:8001",
      logLevel: "info",
    });
  });

  test("take Xinference's endpoint when ours is not set", () => {
    const env = { XINFERENCE_ENDPOINT: "http://127.0.0.1:1/" };
    expect(readSettings({}, env).endpoint).toBe("http://127.0.0.1:1");
    const both = { ...env, ATALAYA_ENDPOINT: "http://127.0.0.1:2" };
    expect(readSettings({}, both).endpoint).toBe("http://127.0.0.1:2");
  });

  test("say where registered models may lie: at home, or where a list says", () => {
    expect(readSettings({}, {}).modelRoots).toEqual([homedir()]);
    const env = { ATALAYA_MODEL_ROOTS: ["/data/models", "/srv"].join(delimiter) };
    expect(readSettings({}, env).modelRoots).toEqual(["/data/models", "/srv"]);
    expect(() => readSettings({}, { ATALAYA_MODEL_ROOTS: "models" })).toThrow(
      /ATALAYA_MODEL_ROOTS has models, which is not absolute/,
    );
  });

  test.each([
    { host: "127.0.0.1", isOwn: true },
    { host: "localhost", isOwn: true },
    { host: "::1", isOwn: true },
    { host: "0.0.0.0", isOwn: false },
    { host: "::", isOwn: false },
    { host: "192.168.1.5", isOwn: false },
    { host: "example.org", isOwn: false },
    { host: "127.0.0.1.example.org", isOwn: false },
    { host: "::ffff:1.2.3.4", isOwn: false },
  ])("tell whether $host is this machine's alone: $isOwn", ({ host, isOwn }) => {
    expect(isLoopback(readSettings({ host }, {}).host)).toBe(isOwn);
  });

  test("ask a server that listens everywhere on this machine", () => {
    expect(readSettings({ host: "0.0.0.0" }, {}).endpoint).toBe("http://127.0.0.1:9997");
  });

  test("take a key from the environment, and a flag wins", () => {
    const env = { ATALAYA_API_KEY: "a", ATALAYA_HOME: "/no/such" };
    expect(readSettings({}, env).apiKey).toBe("a");
    expect(readSettings({ apiKey: "b" }, env).apiKey).toBe("b");
    expect(readSettings({}, { ATALAYA_HOME: "/no/such" }).apiKey).toBe(undefined);
  });

  test.each([
    { flags: { port: "65536" }, says: "--port is 65536; a port is a number from 0 to 65535." },
    { flags: { port: "80a" }, says: "--port is 80a; a port is a number from 0 to 65535." },
    { flags: { host: "a b" }, says: /--host is a b; a host is an address or a name/ },
    { flags: { endpoint: "ftp://x" }, says: /--endpoint is ftp:\/\/x; an endpoint looks like/ },
    { flags: { mediaRoot: "/no/such" }, says: /--media-root is \/no\/such, and there is no such/ },
    { flags: { logLevel: "loud" }, says: /--log-level is loud; use one of debug/ },
  ])("that cannot be are refused: $says", ({ flags, says }) => {
    expect(() => readSettings(flags, {})).toThrow(says);
  });
});

test("the package is found from where this file is", () => {
  expect(existsSync(join(packageRoot(), "packages", "protocol"))).toBe(true);
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
});
