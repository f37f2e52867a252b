/** The documentation page of a family, as Xinference prints it, from our own data. Pure. */
import type { Hub, ModelFamily, ModelSource, ModelSpec } from "./model-family.ts";

export type CardFormat = "rst" | "md";

/** An engine of this version that takes the form of weights in question. */
export type CardEngine = { readonly title: string; readonly quantizations: readonly string[] };

const hubNames = {
  huggingface: "Hugging Face",
  modelscope: "ModelScope",
} as const satisfies Record<Hub, string>;

/** Where a person reads about, and accepts the terms of, a repository. */
export function hubUrl({ hub, modelId }: Pick<ModelSource, "hub" | "modelId">): string {
  return hub === "huggingface"
    ? `https://huggingface.co/${modelId}`
    : `https://modelscope.cn/models/${modelId}`;
}

/**
 * @param enginesOf engines as they are in this version, by format
 * @returns lines that end in a line feed
 * @see Xinference `doc/templates/llm.rst.jinja`
 */
export function renderModelCard(
  family: ModelFamily,
  format: CardFormat,
  enginesOf: (modelFormat: string) => readonly CardEngine[],
): string {
  const markup = markups[format];
  const { modelName, specs, licence } = family;
  const lines = [
    ...markup.title(modelName),
    "",
    field("Context Length:", `${family.contextLength}`),
    field("Model Name:", modelName),
    field("Languages:", family.languages.join(", ")),
    field("Abilities:", family.abilities.join(", ")),
    field("Description:", family.description),
    ...(licence === undefined
      ? []
      : [
          field(
            "Licence:",
            `${markup.link(licence.name, licence.url)}${licence.gated ? ", accepted on the hub before a download" : ""}; ${markup.link("acceptable use", licence.acceptableUseUrl)}`,
          ),
          field("Licence in the EU:", licence.euClause),
        ]),
    "",
    ...markup.section("Specifications"),
    "",
    ...specs.flatMap((spec, index) => [
      "",
      ...specLines({ family, spec, index }, markup, enginesOf(spec.format)),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

type Markup = {
  readonly title: (text: string) => string[];
  readonly section: (text: string) => string[];
  readonly subsection: (text: string) => string[];
  readonly link: (text: string, url: string) => string;
  readonly code: (text: string) => string;
  readonly block: (intro: string, command: string) => string[];
};

const markups: Readonly<Record<CardFormat, Markup>> = {
  rst: {
    title: (text) => [`.. _models_llm_${text}:`, "", "=".repeat(40), text, "=".repeat(40)],
    section: (text) => [text, "^".repeat(text.length)],
    subsection: (text) => [text, "+".repeat(Math.max(40, text.length))],
    link: (text, url) => `\`${text} <${url}>\`__`,
    code: (text) => `\`\`${text}\`\``,
    block: (intro, command) => [`${intro}::`, "", `   ${command}`],
  },
  md: {
    title: (text) => [`# ${text}`],
    section: (text) => [`## ${text}`],
    subsection: (text) => [`### ${text}`],
    link: (text, url) => `[${text}](${url})`,
    code: (text) => `\`${text}\``,
    block: (intro, command) => [`${intro}:`, "", "```sh", command, "```"],
  },
};

function specLines(
  {
    family,
    spec,
    index,
  }: { readonly family: ModelFamily; readonly spec: ModelSpec; readonly index: number },
  markup: Markup,
  engines: readonly CardEngine[],
): string[] {
  const { format, size, sources } = spec;
  const made = engines.flatMap(({ quantizations }) => quantizations);
  const quantizations = [...new Set([...spec.quantizations, ...made])];
  const aliases = sources.flatMap((source) => source.aliases);
  const [main] = sources;
  const id =
    main === undefined
      ? `${spec.directory}`
      : aliases.length === 0
        ? main.modelId
        : `${main.modelId} (also known as ${aliases.join(", ")})`;
  const engineChoice = engines.length === 1 ? engines[0]?.title : undefined;
  return [
    ...markup.subsection(`Model Spec ${index + 1} (${format}, ${size} Billion)`),
    "",
    field("Model Format:", format),
    field("Model Size (in billions):", `${size}`),
    field("Quantizations:", quantizations.join(", ")),
    field("Engines:", engines.map(({ title }) => title).join(", ") || "none in this version"),
    field(main === undefined ? "Directory:" : "Model ID:", id),
    ...(sources.length === 0
      ? []
      : [
          field(
            "Model Hubs:",
            sources.map((source) => markup.link(hubNames[source.hub], hubUrl(source))).join(", "),
          ),
        ]),
    "",
    ...markup.block(
      `Execute the following command to launch the model, remember to replace ${markup.code(shellVariable("quantization"))} with your\nchosen quantization method from the options listed above`,
      `atalaya launch --model-engine ${engineChoice ?? shellVariable("engine")} --model-name ${family.modelName} --size-in-billions ${size} --model-format ${format} --quantization ${shellVariable("quantization")}`,
    ),
    "",
  ];
}

/** As Xinference writes what its reader has to replace. */
const shellVariable = (name: string): string => `\${${name}}`;

const field = (name: string, value: string): string => `- **${name}** ${value}`;
