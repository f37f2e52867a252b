import { Command } from "commander";
import { describe, expect, test } from "vitest";
import {
  addXinferenceOptions,
  type LaunchFlags,
  splitArguments,
  toLaunchRequest,
} from "./launch-request.ts";
import { withLongOptions } from "./xinference-options.ts";

/** The body of a launch that was typed so, without what was not typed. */
function bodyOf(words: readonly string[]): unknown {
  const command = new Command("launch").allowUnknownOption().allowExcessArguments();
  addXinferenceOptions(command);
  command.parse(withLongOptions(["launch", "demo", ...words]).slice(1), { from: "user" });
  const { model, extra } = splitArguments(command.args);
  const body = toLaunchRequest(model, command.opts<LaunchFlags>(), { extra, cwd: "/" });
  return JSON.parse(JSON.stringify(body));
}

describe("an option of Xinference's launch is sent as its own client sends it", () => {
  test.each([
    { words: ["-t", "LLM"], fields: { model_type: "LLM" } },
    { words: ["-r", "2"], fields: { replica: 2 } },
    { words: ["--replica", "two"], fields: { replica: "two" } },
    { words: ["--n-worker", "1"], fields: { n_worker: 1 } },
    { words: ["--n-gpu", "auto"], fields: { n_gpu: "auto" } },
    { words: ["--n-gpu", "2"], fields: { n_gpu: 2 } },
    { words: ["--n-gpu", "none"], fields: { n_gpu: null } },
    { words: ["--gpu-idx", "0,1"], fields: { gpu_idx: [0, 1] } },
    { words: ["--worker-ip", "10.0.0.1"], fields: { worker_ip: "10.0.0.1" } },
    {
      words: ["-lm", "a", "/a", "--lora-modules", "b", "/b"],
      fields: {
        peft_model_config: {
          lora_list: [
            { lora_name: "a", local_path: "/a" },
            { lora_name: "b", local_path: "/b" },
          ],
        },
      },
    },
    {
      words: ["-ld", "k", "v", "-fd", "l", "w"],
      fields: {
        peft_model_config: {
          image_lora_load_kwargs: { k: "v" },
          image_lora_fuse_kwargs: { l: "w" },
        },
      },
    },
    {
      words: ["-qc", "load_in_4bit", "true", "-qc", "a", "--b"],
      fields: { quantization_config: { load_in_4bit: "true", a: "--b" } },
    },
    { words: ["--trust-remote-code", "True"], fields: { trust_remote_code: true } },
    { words: ["--trust-remote-code"], fields: { trust_remote_code: true } },
    { words: ["--trust-remote-code", "False"], fields: { trust_remote_code: false } },
    { words: ["--enable-thinking"], fields: { enable_thinking: true } },
    { words: ["--enable-virtual-env"], fields: { enable_virtual_env: true } },
    { words: ["--disable-virtual-env"], fields: { enable_virtual_env: false } },
    { words: ["-vp", "a", "-vp", "b"], fields: { virtual_env_packages: ["a", "b"] } },
    { words: ["--virtual-env-find-link", "/w"], fields: { virtual_env_find_links: ["/w"] } },
    { words: ["-ev", "A", "1", "--env", "B", "2"], fields: { envs: { A: "1", B: "2" } } },
    { words: ["--max_num_batched_tokens", "16"], fields: { max_num_batched_tokens: 16 } },
  ])("$words", ({ words, fields }) => {
    expect(bodyOf(words)).toEqual({ model_name: "demo", ...fields });
  });
});
