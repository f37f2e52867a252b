import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readHubSettings } from "./settings.ts";

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "home-"));
  await writeFile(join(home, "my-token"), " hf_file\r\n");
});
afterAll(async () => await rm(home, { recursive: true }));

test("without any variable, all is where the hubs' own libraries have it", async () => {
  expect(await readHubSettings({}, home)).toEqual({
    huggingface: {
      endpoints: ["https://huggingface.co"],
      cacheDirectory: join(home, ".cache/huggingface/hub"),
      olderDirectories: [],
      token: undefined,
    },
    modelscope: {
      endpoints: ["https://modelscope.cn", "https://www.modelscope.ai"],
      cacheDirectory: join(home, ".cache/modelscope"),
      olderDirectories: [join(home, ".cache/modelscope/hub"), join(home, ".cache/modelscope")],
      token: undefined,
    },
    isOffline: false,
    preferred: undefined,
    proxies: { http: undefined, https: undefined, except: undefined },
  });
});

describe("Hugging Face's cache", () => {
  test.each([
    [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/xdg", HF_HOME: "/hf" }, "/hf/hub"],
    [{ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
    [{ HF_HUB_CACHE: "$DISK/models", DISK: "/big" }, "/big/models"],
    [{ HF_HUB_CACHE: "/x/$NOT_SET/y" }, "/x/$NOT_SET/y"],
  ])("with %j is %s", async (env, directory) => {
    expect((await readHubSettings(env, home)).huggingface.cacheDirectory).toBe(directory);
  });

  test("may lie in the home directory", async () => {
    const { huggingface } = await readHubSettings({ HF_HOME: "~/hf" }, home);
    expect(huggingface.cacheDirectory).toBe(join(home, "hf/hub"));
  });
});

describe("a token", () => {
  test("comes from the variable, else from the file", async () => {
    const env = { HF_TOKEN_PATH: join(home, "my-token") };
    const fromFile = await readHubSettings(env, home);
    expect(fromFile.huggingface.token).toEqual({
      value: "hf_file",
      source: join(home, "my-token"),
    });
    const both = await readHubSettings({ ...env, HF_TOKEN: "hf_env\n" }, home);
    expect(both.huggingface.token).toEqual({ value: "hf_env", source: "HF_TOKEN" });
    const none = await readHubSettings({ ...env, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, home);
    expect(none.huggingface.token).toBeUndefined();
  });

  test.each(["hf_a b", "hf_ü", `hf_${"x".repeat(5_000)}`])(
    "that could break a header is refused, unsaid",
    async (value) => {
      const failed: unknown = await readHubSettings({ HF_TOKEN: value }, home).catch(
        (error: unknown) => error,
      );
      expect(failed).toMatchObject({ code: "invalid_request" });
      expect(String(failed)).toContain("HF_TOKEN");
      expect(String(failed)).not.toContain(value);
    },
  );
});

test.each(["1", "on", "YES", "True"])("%s means offline", async (value) => {
  expect((await readHubSettings({ HF_HUB_OFFLINE: value }, home)).isOffline).toBe(true);
  expect((await readHubSettings({ HF_HUB_OFFLINE: "0" }, home)).isOffline).toBe(false);
});

test("other addresses of the hubs", async () => {
  const env = { HF_ENDPOINT: "https://mirror.example/", MODELSCOPE_DOMAIN: "www.modelscope.cn" };
  const { huggingface, modelscope } = await readHubSettings(env, home);
  expect(huggingface.endpoints).toEqual(["https://mirror.example"]);
  expect(modelscope.endpoints).toEqual(["https://www.modelscope.cn"]);
  const international = await readHubSettings({ MODELSCOPE_PREFER_AI_SITE: "1" }, home);
  expect(international.modelscope.endpoints[0]).toBe("https://www.modelscope.ai");
});

test("proxies, in either case of letters", async () => {
  const env = {
    HTTPS_PROXY: "proxy.example:3128",
    no_proxy: "localhost",
    ALL_PROXY: "http://all:1",
  };
  expect((await readHubSettings(env, home)).proxies).toEqual({
    http: "http://all:1",
    https: "http://proxy.example:3128",
    except: "localhost",
  });
});

test.each([
  [{ HF_ENDPOINT: "huggingface.co" }, /HF_ENDPOINT is huggingface\.co; a hub's address looks like/],
  [{ HF_ENDPOINT: "ftp://x" }, /HF_ENDPOINT is ftp/],
  [{ ATALAYA_HUB: "github" }, /ATALAYA_HUB is github; use one of auto, huggingface, modelscope/],
  [{ HTTPS_PROXY: "socks5://u:secret@x" }, /^(?!.*secret).*proxy in .* cannot be used/],
])("%j is refused", async (env, says) => {
  await expect(readHubSettings(env, home)).rejects.toThrow(says);
});
