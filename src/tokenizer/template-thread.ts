/**
 * The thread that renders the checkpoint's chat template.
 *
 * A template is a program from a file we were given: it may loop for ever or build endless text, so it
 * runs where it can be stopped, sees nothing but its variables, and its output has a limit.
 */
import { Environment, Template } from "@huggingface/jinja";
import { PlatformError } from "../base/errors.ts";
import { serveThread } from "../base/serve-thread.ts";
import { type StringLoops, TemplateInterpreter } from "./template-interpreter.ts";
import type { TemplateForm, TemplateMessage } from "./template-messages.ts";

export type TemplateData = {
  /** Jinja. */
  readonly source: string;
  /** `bos_token` and its like, from tokenizer_config.json. */
  readonly namedTokens: Readonly<Record<string, string>>;
};

export type RenderQuestion = {
  readonly messages: readonly TemplateMessage[];
  /** Functions as the template knows them; it is told of none when absent. */
  readonly tools?: readonly unknown[];
  readonly addGenerationPrompt: boolean;
  /** Such as "23 Nov 2026"; the template is given no clock. */
  readonly dateString: string;
};

/** Characters; the longest prompt that is encoded is shorter. */
const maxOutputLength = 4 * 1024 * 1024;

/** Numbers in one `range()`: far more than messages in a conversation. */
const maxRange = 100_000;

/** What the template itself says is wrong with the conversation. */
class Refusal extends Error {}

serveThread<TemplateData, RenderQuestion, string, TemplateForm>(({ source, namedTokens }) => {
  const { parsed } = parseTemplate(source);
  const render = (question: RenderQuestion, loops: StringLoops = "skip"): string =>
    checkedOutput(
      new TemplateInterpreter(newEnvironment(question, namedTokens), loops).run(parsed).value,
    );
  return {
    ready: templateForm(source, render),
    answer: (question) => {
      try {
        return render(question);
      } catch (error) {
        throw templateError(error);
      }
    },
  };
});

/** Tried out once, with conversations that every template knows. */
function templateForm(
  source: string,
  render: (question: RenderQuestion, loops: StringLoops) => string,
): TemplateForm {
  const text = "Hello";
  const asList = [{ type: "text", text }] as const;
  const asked = (content: TemplateMessage["content"]): RenderQuestion => ({
    messages: [{ role: "user", content }],
    addGenerationPrompt: true,
    dateString: "26 Jul 2024",
  });
  const tools = [{ type: "function", function: { name: "find_form", parameters: {} } }];
  const namesTools = /\btools\b/.test(source.replaceAll(/\{#[\s\S]*?#\}/g, ""));
  const takesTools = (content: TemplateMessage["content"]): boolean => {
    try {
      return namesTools && render({ ...asked(content), tools }, "skip").includes(text);
    } catch {
      return false;
    }
  };
  const toolForm = {
    besideTools: takesTools(text) ? "string" : takesTools(asList) ? "list" : undefined,
    takesToolsWithPictures: takesTools([{ type: "image" }, ...asList]),
  } as const;
  try {
    render(asked(text), "fail");
    return { content: "string", ...toolForm };
  } catch (error) {
    return { content: error instanceof Refusal ? "string" : "list", ...toolForm };
  }
}

function parseTemplate(source: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw new PlatformError(
      "corrupt_model_file",
      `The checkpoint's chat template cannot be read: ${firstLine(error)}. Mend the template, or remove it and use plain completions.`,
    );
  }
}

/** The globals of Transformers' templates, but for `strftime_now`: the date is an argument. */
function newEnvironment(
  question: RenderQuestion,
  namedTokens: TemplateData["namedTokens"],
): Environment {
  const environment = new Environment();
  const variables = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range: boundedRange,
    raise_exception: (message: unknown) => {
      throw new Refusal(typeof message === "string" ? message : "The messages are not accepted.");
    },
    ...namedTokens,
    messages: question.messages,
    add_generation_prompt: question.addGenerationPrompt,
    date_string: question.dateString,
    // As Transformers says that there are none.
    tools: question.tools ?? null,
  };
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return environment;
}

function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, end] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!(length <= maxRange)) throw new Error(`a range of more than ${maxRange} numbers`);
  return Array.from({ length }, (_, index) => start + index * step);
}

function checkedOutput(output: unknown): string {
  if (typeof output !== "string") throw new Error("its output is not text");
  if (output.length > maxOutputLength) {
    throw new Error(`its output is longer than ${maxOutputLength} characters`);
  }
  return output;
}

function templateError(error: unknown): PlatformError {
  if (error instanceof Refusal) {
    return new PlatformError(
      "invalid_request",
      `The model's chat template refuses these messages: ${firstLine(error)}`,
    );
  }
  return new PlatformError(
    "corrupt_model_file",
    `The checkpoint's chat template fails on these messages: ${firstLine(error)}. Mend the template, or use plain completions.`,
  );
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split("\n")[0] ?? "").slice(0, 300);
}
