/** Spans to a collector, when the environment names one; OpenTelemetry's own variables say where. */
import { propagation, trace } from "@opentelemetry/api";
import { PlatformError } from "../base/errors.ts";
import { packageVersion } from "../config/package.ts";

/** Whether the environment asks for spans. */
export function wantsTracing(env: NodeJS.ProcessEnv): boolean {
  const isOff = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
  const exporter = env["OTEL_TRACES_EXPORTER"] ?? "otlp";
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  return !isOff && exporter === "otlp" && endpoint !== undefined && endpoint !== "";
}

/**
 * Send spans from now on, until disposed, which sends what is still held.
 *
 * The SDK is not among our dependencies: 28 MB for the few who have a collector.
 *
 * @throws PlatformError `invalid_request` when a package is missing, naming all that are needed
 */
export async function startTracing(env: NodeJS.ProcessEnv): Promise<AsyncDisposable> {
  const { base, core, exporter, resources } = await loadSdk();
  const provider = new base.BasicTracerProvider({
    resource: resources.resourceFromAttributes({
      "service.name": env["OTEL_SERVICE_NAME"] ?? "atalaya",
      "service.version": packageVersion(),
    }),
    spanProcessors: [new base.BatchSpanProcessor(new exporter.OTLPTraceExporter())],
  });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
  return {
    [Symbol.asyncDispose]: async () => {
      trace.disable();
      propagation.disable();
      // A collector that is gone must not keep the server from ending.
      await provider.shutdown().catch(() => undefined);
    },
  };
}

async function loadSdk() {
  try {
    return {
      base: await import("@opentelemetry/sdk-trace-base"),
      core: await import("@opentelemetry/core"),
      exporter: await import("@opentelemetry/exporter-trace-otlp-http"),
      resources: await import("@opentelemetry/resources"),
    };
  } catch (cause) {
    throw new PlatformError(
      "invalid_request",
      "OTEL_EXPORTER_OTLP_ENDPOINT asks for spans, and OpenTelemetry's SDK is not installed. Install it beside atalaya: npm install @opentelemetry/core @opentelemetry/sdk-trace-base @opentelemetry/exporter-trace-otlp-http @opentelemetry/resources, or unset the variable.",
      { cause },
    );
  }
}
