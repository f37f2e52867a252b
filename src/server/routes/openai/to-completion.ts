/** Our events → plain completions, whole or in chunks. */
import type { Completion, CompletionLogprobs, CompletionRequest } from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent } from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";
import { type Answer, UsageSum, wholeFinishReason } from "../../answer.ts";
import { tokenText, toLogprob } from "../../token-text.ts";
import { type AnswerHead, toOptions, toUsage } from "./answer.ts";
import type { Asked, ChunkOptions, Requests } from "./generate.ts";

export function toCompletion(
  answer: Answer,
  head: AnswerHead,
  { requests }: Asked<CompletionRequest>,
): Completion {
  return {
    ...head,
    object: "text_completion",
    choices: answer.choices.map((choice, index) => {
      const request = requestOf(requests, choice.promptIndex);
      const echoed = echoOf(request, choice.decodedPrompt);
      return {
        index,
        text: echoed + choice.text,
        logprobs:
          request.sampling.logprobs === undefined
            ? null
            : joined([
                toPromptLogprobs(choice.prompt, shownBytes(echoed, choice.decodedPrompt)),
                toLogprobs(choice.tokens, echoed.length),
              ]),
        finish_reason: choice.finishReason,
        ...toOptions(choice),
      };
    }),
    usage: toUsage(answer.usage),
    atalaya: answer.receipt,
  };
}

/** One chunk a delta, a last for each answer; then the usage when asked for. */
export async function* toCompletionChunks(
  events: AsyncIterable<GenerateEvent>,
  head: AnswerHead,
  { requests, receipt, includeUsage }: ChunkOptions<CompletionRequest>,
): AsyncGenerator<Completion, void> {
  const [{ sampling, numChoices = 1 }] = requests;
  const wantsLogprobs = sampling.logprobs !== undefined;
  const base = {
    ...head,
    object: "text_completion",
    ...(includeUsage ? { usage: null } : {}),
  } as const;
  const decodedPrompts = new Map<number, string | undefined>();
  const echoFor = ({ promptIndex = 0 }: { readonly promptIndex?: number }): string =>
    echoOf(requestOf(requests, promptIndex), decodedPrompts.get(promptIndex));
  /** Where each answer's text goes on, in UTF-16 units. */
  const offsets = new Map<number, number>();
  const usage = new UsageSum();
  let numOpen = requests.length * numChoices;
  for await (const event of events) {
    switch (event.type) {
      case "started":
        decodedPrompts.set(event.promptIndex ?? 0, event.decodedText);
        break;
      case "image":
        break;
      case "text-delta": {
        const index = event.choice ?? 0;
        const echoed = echoFor(event);
        const numBytes = shownBytes(echoed, decodedPrompts.get(event.promptIndex ?? 0));
        const isFirst = !offsets.has(index);
        const text = isFirst ? echoed + event.text : event.text;
        if (text === "" && !wantsLogprobs) break;
        const offset = offsets.get(index) ?? echoed.length;
        const logprobs = wantsLogprobs
          ? joined([
              toPromptLogprobs(event.prompt ?? [], numBytes),
              toLogprobs(event.tokens, offset),
            ])
          : null;
        offsets.set(index, offset + event.text.length);
        yield { ...base, choices: [{ index, text, logprobs, finish_reason: null }] };
        break;
      }
      case "finish": {
        const index = event.choice ?? 0;
        usage.add(event);
        numOpen -= 1;
        yield {
          ...base,
          choices: [
            {
              index,
              // An answer that said nothing still has its prompt to give back.
              text: offsets.has(index) ? "" : echoFor(event),
              logprobs: null,
              finish_reason: wholeFinishReason(event.reason),
              ...toOptions(event),
            },
          ],
          ...(numOpen === 0 && { atalaya: receipt.toWire() }),
        };
        if (numOpen > 0) break;
        if (includeUsage) yield { ...base, choices: [], usage: toUsage(usage.total) };
        return;
      }
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

function requestOf(requests: Requests, promptIndex: number): GenerateRequest {
  return requests[promptIndex] ?? requests[0];
}

/** The prompt as it was sent, where it is asked for; one of token ids as the text that they are. */
function echoOf({ prompt, echoesPrompt }: GenerateRequest, decoded = ""): string {
  if (echoesPrompt !== true || prompt.type !== "raw") return "";
  const { text } = prompt;
  if (typeof text === "string") return text;
  return "tokenIds" in text ? decoded : text.map((piece) => piece.text).join("");
}

/** Token ids were sent whole, and may end in half a character; of a text as many bytes as it has. */
function shownBytes(echoed: string, decoded: string | undefined): number {
  return decoded === undefined ? Buffer.byteLength(echoed) : Infinity;
}

/** What stands in front of the prompt as it was sent, the begin of text and pictures, is not part of it. */
function toPromptLogprobs(prompt: readonly GeneratedToken[], numBytes: number): CompletionLogprobs {
  let numShown = 0;
  let length = 0;
  for (const { bytes } of prompt.toReversed()) {
    if (length + bytes.length > numBytes) break;
    length += bytes.length;
    numShown += 1;
  }
  return toLogprobs(prompt.slice(prompt.length - numShown), 0);
}

function joined(parts: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    tokens: parts.flatMap(({ tokens }) => tokens),
    token_logprobs: parts.flatMap((part) => part.token_logprobs),
    top_logprobs: parts.flatMap((part) => part.top_logprobs),
    text_offset: parts.flatMap((part) => part.text_offset),
  };
}

/** @param start where the first of `tokens` begins in the answer, in UTF-16 units */
function toLogprobs(tokens: readonly GeneratedToken[], start: number): CompletionLogprobs {
  const texts = tokens.map(({ bytes }) => tokenText(bytes));
  let offset = start;
  const offsets = texts.map((text) => {
    const at = offset;
    offset += text.length;
    return at;
  });
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) =>
      logprob === undefined ? null : toLogprob(logprob),
    ),
    top_logprobs: tokens.map(({ logprob: own, topLogprobs }) =>
      own === undefined
        ? null
        : Object.fromEntries(
            topLogprobs.map(({ bytes, logprob }) => [tokenText(bytes), toLogprob(logprob)]),
          ),
    ),
    text_offset: offsets,
  };
}
