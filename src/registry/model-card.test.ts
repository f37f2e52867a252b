import { describe, expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { enginesOfFormat } from "../engines/catalog.ts";
import { renderModelCard } from "./model-card.ts";

/**
 * The page as it was first published, field by field.
 *
 * @see Xinference `doc/source/models/builtin/llm/llama-3.2-vision.rst` at ee98bc4c8
 */
const page = {
  "Context Length:": "131072",
  "Model Name:": "llama-3.2-vision",
  "Languages:": "en, de, fr, it, pt, hi, es, th",
  "Abilities:": "generate, vision",
  "Description:":
    "The Llama 3.2-Vision instruction-tuned models are optimized for visual recognition, image reasoning, captioning, and answering general questions about an image...",
};
const specs = [
  {
    title: "Model Spec 1 (pytorch, 11 Billion)",
    size: "11",
    huggingFace: "meta-llama/Meta-Llama-3.2-11B-Vision",
    modelScope: "LLM-Research/Meta-Llama-3.2-11B-Vision",
  },
  {
    title: "Model Spec 2 (pytorch, 90 Billion)",
    size: "90",
    huggingFace: "meta-llama/Meta-Llama-3.2-90B-Vision",
    modelScope: "LLM-Research/Meta-Llama-3.2-90B-Vision",
  },
];

async function card(name: string, format: "rst" | "md" = "rst"): Promise<string> {
  const { family } = await builtinRegistry().find(name);
  return renderModelCard(family, format, enginesOfFormat);
}

function fieldsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^- \*\*(.+?)\*\*:? +(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
}

describe("the page of llama-3.2-vision", () => {
  test.each(Object.entries(page))("has the original's %s", async (name, value) => {
    const [head = ""] = (await card("llama-3.2-vision")).split("Specifications");
    expect(fieldsOf(head)[name]).toBe(value);
  });

  test.each(specs)("has $title", async ({ title, size, huggingFace, modelScope }) => {
    const text = await card("llama-3.2-vision");
    const [, ...sections] = text.split(/^(?=Model Spec \d)/m);
    const section = sections.find((candidate) => candidate.startsWith(`${title}\n`)) ?? "";
    expect(sections).toHaveLength(specs.length);
    const fields = fieldsOf(section);
    expect(fields["Model Format:"]).toBe("pytorch");
    expect(fields["Model Size (in billions):"]).toBe(size);
    expect(fields["Quantizations:"]).toBe(
      "none, q8_0, q6_k, q5_k, q4_k, q4_0, 4-bit, 8-bit, fp8, bitsandbytes",
    );
    // The original has "vLLM, Transformers"; ours has its own engine too, and in its own order.
    expect(fields["Engines:"]).toBe("native, Transformers, vLLM");
    // Its spelling with Meta- is an old alias: today's name stands first.
    const today = huggingFace.replace("Meta-Llama", "Llama");
    expect(fields["Model ID:"]).toBe(`${today} (also known as ${huggingFace}, ${modelScope})`);
    expect(fields["Model Hubs:"]).toBe(
      `\`Hugging Face <https://huggingface.co/${today}>\`__, \`ModelScope <https://modelscope.cn/models/${modelScope.replace("Meta-Llama", "Llama")}>\`__`,
    );
    expect(section).toContain(
      `   atalaya launch --model-engine \${engine} --model-name llama-3.2-vision --size-in-billions ${size} --model-format pytorch --quantization \${quantization}\n`,
    );
  });

  test("says who gets no licence, and that it is asked for", async () => {
    const fields = fieldsOf(await card("llama-3.2-vision"));
    expect(fields["Licence:"]).toMatch(
      /^`Llama 3\.2 Community License <https:.*accepted on the hub/,
    );
    expect(fields["Licence in the EU:"]).toMatch(/no rights .* European Union/);
  });

  test("has a reStructuredText title as long as its line, and no line end missing", async () => {
    const lines = (await card("llama-3.2-vision")).split("\n");
    for (const [index, line] of lines.entries()) {
      if (/^(\^{3,}|\+{3,}|={3,})$/.test(line)) {
        const title = (lines[index - 1] === "" ? lines[index + 1] : lines[index - 1]) ?? "";
        expect(line.length).toBeGreaterThanOrEqual(title.length);
      }
    }
    expect(lines.at(-1)).toBe("");
  });
});

test.each(["llama-3.2-vision-instruct", "llama-guard-3-11b-vision"])(
  "the page of %s in Markdown has the same fields as in reStructuredText",
  async (name) => {
    const names = async (format: "rst" | "md"): Promise<string[]> =>
      [...(await card(name, format)).matchAll(/^- \*\*(.+?)\*\*/gm)].map(([field = ""]) => field);
    expect(await names("md")).toEqual(await names("rst"));
    expect(await card(name, "md")).toMatch(new RegExp(`^# ${name}\n`));
  },
);

test("what a person registered has its directory for an id", () => {
  const text = renderModelCard(
    {
      modelName: "receipts",
      isBuiltin: false,
      description: "Reads receipts.",
      contextLength: 4_096,
      languages: ["en"],
      abilities: ["chat", "vision"],
      basedOn: undefined,
      licence: undefined,
      specs: [
        {
          format: "pytorch",
          size: 11,
          quantizations: ["none"],
          sources: [],
          directory: "/models/receipts",
          config: undefined,
        },
      ],
    },
    "md",
    enginesOfFormat,
  );
  expect(fieldsOf(text)["Directory:"]).toBe("/models/receipts");
  expect(text).not.toContain("Model Hubs");
});
