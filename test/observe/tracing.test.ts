/** Spans arrive at a collector that speaks OTLP over HTTP, under the trace that the client began. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { startTracing, wantsTracing } from "../../src/observe/tracing.ts";
import { serveFakeEngine } from "../support/serve.ts";

type Span = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
};

afterEach(() => vi.unstubAllEnvs());

test("a request and its answer are spans of the client's trace, without contents", async () => {
  const bodies: string[] = [];
  const collector = createServer((request, response) => {
    void readAll(request).then((body) => {
      bodies.push(body);
      response.setHeader("content-type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const { port } = collector.address() as AddressInfo;
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${port}`);

  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  {
    await using _tracing = await startTracing(process.env);
    await using server = await serveFakeEngine("a secret");
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      },
      body: JSON.stringify({ model: "fake", messages: [{ role: "user", content: "whisper" }] }),
    });
    await response.text();
  }
  collector.close();

  const sent = bodies.join("\n");
  expect(sent).not.toMatch(/secret|whisper/);
  const spans = bodies.flatMap((body) =>
    (
      JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }
    ).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
  const http = spans.find(({ name }) => name === "POST /v1/chat/completions");
  const answer = spans.find(({ name }) => name === "chat fake");
  expect(http).toMatchObject({ traceId, parentSpanId: "00f067aa0ba902b7" });
  expect(answer).toMatchObject({ traceId, parentSpanId: http?.spanId });
  expect(answer?.attributes).toContainEqual({
    key: "gen_ai.usage.output_tokens",
    value: { intValue: 8 },
  });
});

test.each([
  [{}, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318/v1/traces" }, true],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_SDK_DISABLED: "true" }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_TRACES_EXPORTER: "none" }, false],
])("%j asks for spans: %s", (env, wanted) => {
  expect(wantsTracing(env)).toBe(wanted);
});
