import type { Section } from "./section.ts";

export const modelFiles: Section = {
  prefix: "MF",
  title: "model files and registrations",
  attacks: {
    "01": {
      input: "a header longer than the file, than the limit, or of 2⁶³ bytes",
      tests: ["src/formats/safetensors.test.ts", "test/hub/remote-shape.test.ts"],
    },
    "02": {
      input: "an empty file, seven bytes, a header that is no UTF-8, no JSON, no object",
      tests: ["src/formats/safetensors.test.ts"],
    },
    "03": {
      input:
        "offsets that overlap, leave holes, are reversed, negative, fractional, beyond the end",
      tests: ["src/formats/safetensors.test.ts"],
    },
    "04": {
      input: "a shape that is not its span, overflows, or has an unknown type",
      tests: ["src/formats/safetensors.test.ts"],
    },
    "05": {
      input: "bytes after the last tensor",
      tests: ["src/formats/safetensors.test.ts", "test/e2e/bad-checkpoints.test.ts"],
    },
    "06": {
      input: "a file cut at each sixteenth",
      tests: ["src/formats/safetensors.test.ts", "test/e2e/bad-checkpoints.test.ts"],
    },
    "07": {
      input:
        "an index of files elsewhere, of a URL, of a missing file, of a hundred thousand files",
      tests: [
        "src/formats/safetensors-index.test.ts",
        "test/e2e/bad-checkpoints.test.ts",
        "test/hub/remote-shape.test.ts",
      ],
    },
    "08": {
      input: "auto_map, trust_remote_code, a foreign architecture",
      tests: ["src/models/mllama/config.test.ts", "test/e2e/bad-checkpoints.test.ts"],
    },
    "09": {
      input: "sizes of 0, −1, 10⁹ and 2³¹ in config.json",
      tests: ["src/models/mllama/config.test.ts"],
    },
    "10": {
      input: "a repository with pickles alone",
      tests: ["test/hub/faults.test.ts", "test/hub/remote-shape.test.ts"],
    },
    "11": {
      input: "tensors that are missing, extra or of another shape",
      tests: ["test/e2e/bad-checkpoints.test.ts"],
    },
    "12": {
      input: "weights that give NaN",
      tests: ["src/engines/native/native-engine.test.ts"],
    },
    "13": {
      input: "a tokenizer.json of a gigabyte, ids out of range, a pattern that backtracks for ever",
      tests: ["src/tokenizer/tokenizer.test.ts"],
    },
    "14": {
      input: "names such as ../x, a/b, %2e%2e, of 300 characters, empty",
      tests: ["src/registry/family-file.test.ts"],
    },
    "15": {
      input:
        "a directory that is relative, in ~, outside of the roots, behind a link that leaves them",
      tests: ["src/registry/registry.test.ts"],
    },
    "16": {
      input: "a registration over a shipped or an existing name",
      tests: ["src/registry/registry.test.ts"],
    },
    "17": {
      input: "a directory that is exchanged between check and load",
      tests: ["src/supervisor/supervisor.test.ts", "src/registry/registry.test.ts"],
    },
    "18": {
      input: "weights that shrink while they are served",
      tests: ["test/engine/native-worker.test.ts"],
    },
    "19": {
      input: "a launch with envs, virtual_env_packages, find-links",
      tests: ["src/server/routes/xinference/launch.test.ts"],
    },
    "20": {
      input: "links in a circle, files that may not be read",
      tests: ["test/e2e/bad-checkpoints.test.ts"],
    },
    "21": {
      input: "a processor's or generation's config with absurd numbers",
      tests: ["src/models/mllama/processor-config.test.ts", "test/e2e/bad-checkpoints.test.ts"],
    },
    "22": {
      input: "a repository with Python files and start-up hooks",
      tests: ["src/models/mllama/checkpoint.test.ts", "test/hub/pull.test.ts"],
    },
  },
};
