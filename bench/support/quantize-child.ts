/** Quantizes one checkpoint, for those who watch or kill it: `quantize-child.ts CHECKPOINT NAME HOME`. */
import { quantizedDirectory } from "../../src/engines/native/quantize-model.ts";
import { isQuantization } from "../../src/models/mllama/quantization.ts";

const [directory = "", quantization = "", cacheDirectory = ""] = process.argv.slice(2);
if (!isQuantization(quantization)) throw new Error(`${quantization} is no quantization`);
const made = await quantizedDirectory(
  { directory, quantization, cacheDirectory, imatrix: undefined },
  ({ stage, fraction }) => process.stdout.write(`${JSON.stringify({ stage, fraction })}\n`),
);
process.stdout.write(`${JSON.stringify({ made })}\n`);
