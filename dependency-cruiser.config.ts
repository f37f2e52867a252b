import type { IConfiguration, IForbiddenRuleType } from "dependency-cruiser";

const everything = [
  "server",
  "batches",
  "files",
  "supervisor",
  "pipeline",
  "media",
  "cluster",
  "observe",
  "registry",
  "hub",
  "engines",
  "state",
  "identity",
];

/**
 * Each folder of `src/` lists the folders it may import; this table is the architecture.
 *
 * `pipeline` is what stands in front of every engine (templates, tokenizer, picture decoding, stop
 * strings); see docs/adr for why it is a folder of its own.
 */
const mayImport: Record<string, readonly string[]> = {
  cli: ["platform.ts", "generation", "config", "base"],
  "load.ts": ["platform.ts", "generation", "config", "base"],
  "platform.ts": [...everything, "config", "process", "base"],
  server: [
    "supervisor",
    "batches",
    "files",
    "observe",
    "identity",
    "state",
    "registry",
    "engines",
    "generation",
    "image",
    "config",
    "base",
  ],
  observe: ["supervisor", "state", "engines", "generation", "config", "base"],
  supervisor: [
    "devices",
    "engines",
    "state",
    "pipeline",
    "cluster",
    "registry",
    "hub",
    "generation",
    "config",
    "base",
  ],
  pipeline: ["grammar", "tokenizer", "image", "media", "engines", "generation", "base"],
  cluster: ["engines", "process", "generation", "config", "base"],
  batches: ["files", "state", "base"],
  files: ["state", "base"],
  registry: ["base"],
  identity: ["state", "base"],
  state: ["posix", "base"],
  hub: ["posix", "base"],
  engines: [
    "devices",
    "models",
    "ggml",
    "formats",
    "grammar",
    "tokenizer",
    "image",
    "process",
    "posix",
    "generation",
    "base",
  ],
  models: ["nn", "ggml", "formats", "tokenizer", "image", "generation", "base"],
  nn: ["ggml", "base"],
  ggml: ["base"],
  tokenizer: ["generation", "base"],
  grammar: ["generation", "base"],
  formats: ["base"],
  image: ["base"],
  media: ["base"],
  process: ["base"],
  devices: ["base"],
  posix: ["base"],
  generation: ["base"],
  config: ["base"],
  base: [],
};

const layerRules: IForbiddenRuleType[] = Object.entries(mayImport).map(([layer, allowed]) => ({
  name: `${layer}-imports-only-its-layers`,
  comment: `src/${layer} may import: ${allowed.join(", ") || "nothing above it"}`,
  severity: "error",
  from: { path: `^src/${layer}(/|$)`, pathNot: "\\.test\\.ts$" },
  to: { path: "^src/", pathNot: `^src/(${[layer, ...allowed].join("|")})(/|$)` },
}));

const configuration: IConfiguration = {
  forbidden: [
    ...layerRules,
    {
      name: "engines-are-met-at-the-front-door",
      comment: "Others import engines/engine.ts or engines/catalog.ts, never an engine's insides",
      severity: "error",
      from: { pathNot: "^(src/engines|test)/|\\.test\\.ts$" },
      to: { path: "^src/engines/(native|vllm|transformers)/" },
    },
    {
      name: "engines-do-not-know-each-other",
      severity: "error",
      from: { path: "^src/engines/(native|vllm|transformers)/" },
      to: { path: "^src/engines/(native|vllm|transformers)/", pathNot: "^src/engines/$1/" },
    },
    {
      name: "c-is-called-from-few-folders",
      comment: "Only src/ggml and src/posix may load the foreign-function library",
      severity: "error",
      from: { pathNot: "^src/(ggml|posix)/" },
      to: { path: "node_modules/koffi" },
    },
    {
      name: "every-folder-is-in-the-table",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(${Object.keys(mayImport).join("|")})(/|$)` },
      to: {},
    },
    {
      name: "neighbours-stand-alone",
      comment: "The client, the protocol and the web UI work without the platform",
      severity: "error",
      from: { path: "^(packages|web)/" },
      to: { path: "^src/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};

export default configuration;
