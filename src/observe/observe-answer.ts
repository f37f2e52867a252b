/** An answer's events pass through, and what they tell is counted, timed, traced and logged; never what is in them. */
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { GenerateEvent } from "../generation/event.ts";
import type { AnswerAbout } from "../supervisor/router.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Pass `events` on, and record them.
 *
 * An answer that its reader leaves, or that is cut, counts as cancelled.
 */
export async function* observeAnswer(
  events: AsyncIterable<GenerateEvent>,
  about: AnswerAbout,
  { metrics, log }: { readonly metrics: Metrics; readonly log: Logger },
): AsyncGenerator<GenerateEvent, void> {
  const { instance, replica, requestId, traceContext } = about;
  const recorder = metrics.answer(instance, replica);
  // By the semantic conventions for generative models.
  const span = trace.getTracer("atalaya").startSpan(
    `chat ${instance.uid}`,
    {
      kind: SpanKind.INTERNAL,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "atalaya",
        "gen_ai.request.model": instance.uid,
        "atalaya.engine": instance.engineKind,
      },
    },
    traceContext ?? context.active(),
  );
  const startedAt = performance.now();
  const facts = { promptTokens: 0, completionTokens: 0, pictures: 0 };
  let firstTokenMs: number | undefined;
  let lastTokenAt = startedAt;
  let outcome = "cancelled";
  let failure: unknown;
  try {
    for await (const event of events) {
      switch (event.type) {
        case "started":
          facts.promptTokens = event.promptTokenIds.length;
          break;
        case "image": {
          const { cached, cachedIn, encodeMs } = event.report;
          facts.pictures += 1;
          recorder.picture({ cached: cached ? (cachedIn ?? "memory") : "false", encodeMs });
          span.addEvent("picture", {
            cached,
            ...(cachedIn !== undefined && { cached_in: cachedIn }),
            encode_ms: encodeMs,
          });
          break;
        }
        case "text-delta": {
          const count = event.tokens.length;
          if (count === 0) break;
          const now = performance.now();
          if (firstTokenMs === undefined) {
            firstTokenMs = now - startedAt;
            recorder.firstToken(firstTokenMs / 1_000);
            span.addEvent("first token");
          } else {
            for (let i = 0; i < count; i++)
              recorder.interToken((now - lastTokenAt) / count / 1_000);
          }
          lastTokenAt = now;
          facts.completionTokens += count;
          recorder.tokens(count);
          break;
        }
        case "finish":
          outcome = event.reason;
          recorder.cachedPrompt({
            numTokens: event.usage.promptTokens,
            numCached: event.usage.cachedTokens ?? 0,
          });
          break;
        default:
          event satisfies never;
      }
      yield event;
    }
  } catch (error) {
    failure = error;
    outcome =
      error instanceof PlatformError ? error.code : isAbort(error) ? "cancelled" : "internal";
    throw error;
  } finally {
    const durationMs = performance.now() - startedAt;
    const isError = failure !== undefined && outcome !== "cancelled";
    recorder.prompt(facts.promptTokens);
    recorder.end({
      outcome,
      isError,
      seconds: durationMs / 1_000,
      tokensPerSecond: paceOf(
        facts.completionTokens,
        lastTokenAt - startedAt - (firstTokenMs ?? 0),
      ),
    });
    span.setAttributes({
      "gen_ai.usage.input_tokens": facts.promptTokens,
      "gen_ai.usage.output_tokens": facts.completionTokens,
      "gen_ai.response.finish_reasons": [outcome],
      "atalaya.pictures": facts.pictures,
      "atalaya.replica": replica(),
    });
    if (isError) span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
    span.end();
    const times = {
      durationMs: Math.round(durationMs),
      firstTokenMs: firstTokenMs === undefined ? undefined : Math.round(firstTokenMs),
    };
    log.info(
      { requestId, modelUid: instance.uid, replica: replica(), outcome, ...facts, ...times },
      "answer",
    );
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Tokens per second after the first; `undefined` where there was but one. */
function paceOf(numTokens: number, milliseconds: number): number | undefined {
  return numTokens > 1 && milliseconds > 0 ? ((numTokens - 1) * 1_000) / milliseconds : undefined;
}
