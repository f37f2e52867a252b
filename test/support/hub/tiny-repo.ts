/** A repository in the shape of the real one, in small. */
import { type HubFile, largeFile, smallFile } from "./repo-content.ts";

export const tinyRepoId = "meta-llama/Llama-3.2-11B-Vision-Instruct";

const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

export function tinyRepo({ shardBytes = 300_000 } = {}): HubFile[] {
  const index = {
    metadata: { total_size: 2 * shardBytes },
    weight_map: Object.fromEntries(shards.map((shard, at) => [`layer.${at}.weight`, shard])),
  };
  return [
    smallFile(".gitattributes", "*.safetensors filter=lfs\n"),
    smallFile("LICENSE.txt", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n"),
    smallFile("config.json", '{"model_type": "mllama"}\n'),
    smallFile("tokenizer_config.json", "{}\n"),
    smallFile("model.safetensors.index.json", JSON.stringify(index)),
    ...shards.map((shard) => largeFile(shard, shardBytes)),
    smallFile("original/params.json", '{"dim": 4096}\n'),
    largeFile("original/consolidated.pth", 5_000),
  ];
}
