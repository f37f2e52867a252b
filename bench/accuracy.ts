/**
 * Exact answers of a checkpoint through our engine, by language and kind of question.
 *
 *     python training/evaluation_set.py FOLDER --each 200
 *     npx tsx bench/accuracy.ts FOLDER [--checkpoint demo/checkpoint] [--swap] [--json FILE] [--at-least 95]
 *
 * An answer counts when it equals the expected one after trimming white space; decoding is greedy.
 * `--swap` shows every question another scene's picture: what is left is what the questions give away.
 * `--at-least` ends with status 1 when fewer per cent are right over all.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { findEngine } from "../src/engines/catalog.ts";
import type { Engine } from "../src/engines/engine.ts";
import type { GenerateRequest } from "../src/generation/request.ts";
import { Pipeline } from "../src/pipeline/pipeline.ts";

const Question = z.object({
  picture: z.string(),
  language: z.string(),
  kind: z.string(),
  question: z.string(),
  answer: z.string(),
});
type Question = z.infer<typeof Question>;

const CONCURRENCY = 16;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checkpoint: { type: "string", default: "demo/checkpoint" },
    swap: { type: "boolean", default: false },
    json: { type: "string" },
    "at-least": { type: "string", default: "0" },
  },
});
const atLeast = Number(values["at-least"]);
if (!Number.isFinite(atLeast)) throw new Error("--at-least is a number");
const [folder] = positionals;
if (folder === undefined) throw new Error("usage: accuracy.ts FOLDER");
const questions = readFileSync(join(folder, "questions.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => Question.parse(JSON.parse(line)));
const pictures = [...new Set(questions.map(({ picture }) => picture))];

/** The picture to show: the question's own, or that of a scene half the list away. */
function pictureOf({ picture }: Question): string {
  const index = pictures.indexOf(picture);
  const shift = values.swap ? Math.floor(pictures.length / 2) : 0;
  return pictures[(index + shift) % pictures.length] ?? picture;
}

function requestOf(question: Question): GenerateRequest {
  const bytes = new Uint8Array(readFileSync(join(folder ?? "", pictureOf(question))));
  return {
    prompt: {
      type: "chat",
      messages: [
        {
          role: "user",
          content: [
            { type: "image", image: { bytes } },
            { type: "text", text: question.question },
          ],
        },
      ],
    },
    sampling: {
      maxTokens: 64,
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      repetitionPenalty: 1,
      seed: undefined,
      stop: [],
      logprobs: undefined,
    },
  };
}

const directory = resolve(values.checkpoint);
await using pipeline = await Pipeline.open(directory);
const never = new AbortController().signal;
await using engine: Engine = await (await findEngine("native")).load(
  {
    directory,
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: CONCURRENCY,
    kvCacheDtype: undefined,
    numThreads: undefined,
  },
  { signal: never, onProgress: () => {}, onLog: () => {} },
);

async function ask(question: Question): Promise<string> {
  let text = "";
  for await (const event of pipeline.generate(engine, requestOf(question), { signal: never })) {
    if (event.type === "text-delta") text += event.text;
  }
  return text.trim();
}

type Cell = { right: number; asked: number };
const cells = new Map<string, Cell>();
const failures: (Question & { readonly got: string })[] = [];
function count(key: string, isRight: boolean): void {
  const cell = cells.get(key) ?? { right: 0, asked: 0 };
  cells.set(key, { right: cell.right + Number(isRight), asked: cell.asked + 1 });
}

/** Kind → "expected → answered" → how often, for the English questions that ask for one word. */
const confusions = new Map<string, Map<string, number>>();
function confuse({ language, kind, answer }: Question, got: string): void {
  if (language !== "en" || !["colour", "shape", "count"].includes(kind)) return;
  const counts = confusions.get(kind) ?? new Map<string, number>();
  const pair = `${answer} → ${got}`;
  confusions.set(kind, counts.set(pair, (counts.get(pair) ?? 0) + 1));
}

const start = performance.now();
const queue = [...questions];
await Promise.all(
  Array.from({ length: CONCURRENCY }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const got = await ask(next);
      const isRight = got === next.answer.trim();
      confuse(next, got);
      if (!isRight) failures.push({ ...next, got });
      for (const key of ["all", next.language, next.kind, `${next.language} ${next.kind}`]) {
        count(key, isRight);
      }
    }
  }),
);

const share = (key: string): string => {
  const cell = cells.get(key);
  return cell === undefined ? "–" : ((100 * cell.right) / cell.asked).toFixed(1);
};
const languages = [...new Set(questions.map(({ language }) => language))];
const kinds = [...new Set(questions.map(({ kind }) => kind))];
const rows = [
  ["kind", ...languages, "all"],
  ["---", ...languages.map(() => "---:"), "---:"],
  ...kinds.map((kind) => [kind, ...languages.map((l) => share(`${l} ${kind}`)), share(kind)]),
  ["**all**", ...languages.map(share), `**${share("all")}**`],
];
console.log(rows.map((row) => `| ${row.join(" | ")} |`).join("\n"));
const seconds = (performance.now() - start) / 1000;
console.log(
  `\n${questions.length} questions about ${pictures.length} pictures${values.swap ? ", pictures swapped" : ""}, ${(questions.length / seconds).toFixed(0)} a second`,
);
if (values.json !== undefined) {
  const result = {
    questions: questions.length,
    pictures: pictures.length,
    isSwapped: values.swap,
    cells: Object.fromEntries(cells),
    confusions: Object.fromEntries(
      [...confusions].map(([kind, counts]) => [kind, Object.fromEntries(counts)]),
    ),
    failures,
  };
  writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
}
const { right = 0, asked = 1 } = cells.get("all") ?? {};
if (100 * right < atLeast * asked) {
  console.error(`fewer than ${atLeast} % are right`);
  process.exitCode = 1;
}
