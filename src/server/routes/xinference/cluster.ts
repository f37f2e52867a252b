/** The cluster, which here is one machine: supervisor and worker are this server. */
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import { ClusterInfoQuery, type ClusterNode } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { App } from "../../http.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import type { Card, XinferenceParts, XinferenceServices } from "./services.ts";

/** Of the Xinference whose API this is, by era; clients decide by it what they may ask for. */
const xinferenceVersions = { "3": "3.2.1", "0.16": "0.16.3" } as const;

export function cluster(app: App, { supervisor, version, xinference }: XinferenceParts): void {
  const { countGpus, era, stop } = xinference;
  const cards = cardsOf(xinference);
  const startedAt = performance.now();

  app.get("/v1/address", async (_request, reply) => {
    return await reply.type("application/json; charset=utf-8").send(JSON.stringify(addressOf(app)));
  });

  app.get("/v1/cluster/version", () => ({
    version: xinferenceVersions[era],
    "full-revisionid": null,
    dirty: false,
    error: null,
    atalaya: version,
  }));

  app.get("/v1/cluster/devices", async (_request, reply) => {
    const count = await countGpus();
    return await reply.type("application/json; charset=utf-8").send(`${count}`);
  });

  app.get("/v1/cluster/info", async ({ query }): Promise<ClusterNode[]> => {
    const { detailed } = parse(ClusterInfoQuery, query);
    const [address, numGpus] = [addressOf(app), await countGpus()];
    const known = await cards();
    const node = (type: ClusterNode["node_type"], own: readonly Card[]): ClusterNode => ({
      node_type: type,
      ip_address: address,
      gpu_count: type === "Worker" ? numGpus : 0,
      gpu_vram_total: detailed || own.length === 0 ? sum(own, "totalBytes") : inMiB(own),
      ...(detailed && {
        gpu_vram_available: sum(own, "freeBytes"),
        gpu_utilization: null,
        cpu_available: Math.max(0, availableParallelism() - (loadavg()[0] ?? 0)),
        cpu_count: availableParallelism(),
        mem_used: totalmem() - freemem(),
        mem_available: freemem(),
        mem_total: totalmem(),
      }),
    });
    return [node("Supervisor", []), node("Worker", known)];
  });

  app.get("/v1/workers", () => [
    {
      "work-ip": addressOf(app),
      models: supervisor.list().flatMap(({ uid, state }) => (state === "ready" ? [uid] : [])),
    },
  ]);

  app.get("/v1/supervisor", () => ({ supervisor_ip: addressOf(app) }));

  app.get("/v1/cluster/ui_config", () => ({
    grafana_url: null,
    grafana_datasource: null,
    grafana_alert_datasource: null,
    grafana_dashboard_uid: null,
    grafana_dashboards: {},
    grafana_dashboards_configured: false,
    cluster_name: "atalaya",
    es_enabled: false,
    auth_advanced: false,
    oidc_enabled: false,
    token_router_enabled: false,
  }));

  app.delete("/v1/clusters", (_request, reply) => {
    if (stop === undefined) {
      throw new PlatformError(
        "forbidden",
        "This server is a part of another program, which ends it. Stop that program instead.",
      );
    }
    // The answer goes out first.
    reply.raw.once("close", () => stop());
    return { result: true };
  });

  app.get("/status", { config: { isPublicProbe: true } }, async () => {
    const total = totalmem();
    const free = freemem();
    return {
      uptime: Math.floor((performance.now() - startedAt) / 1_000),
      workers: {
        [addressOf(app)]: {
          update_time: Date.now() / 1_000,
          failure_remaining_count: 5,
          status: {
            cpu: {
              usage: Math.min(1, (loadavg()[0] ?? 0) / availableParallelism()),
              total: availableParallelism(),
              memory_used: total - free,
              memory_available: free,
              memory_total: total,
            },
            ...Object.fromEntries((await cards()).map((card) => [card.index, toGpuStatus(card)])),
          },
        },
      },
    };
  });
}

/** For so long an answer of the driver's is good enough: a load balancer may ask every second. */
const cardsAreFreshMs = 5_000;

/** @returns reads the cards, where there are any, and not each time */
function cardsOf({
  countGpus,
  listCards,
}: Pick<XinferenceServices, "countGpus" | "listCards">): () => Promise<readonly Card[]> {
  let known: { readonly at: number; readonly cards: Promise<readonly Card[]> } | undefined;
  return async () => {
    if ((await countGpus()) === 0) return [];
    const now = performance.now();
    if (known === undefined || now - known.at > cardsAreFreshMs) {
      known = { at: now, cards: listCards() };
    }
    return await known.cards;
  };
}

function toGpuStatus({ name, totalBytes, freeBytes }: Card) {
  return {
    name,
    mem_total: totalBytes,
    mem_free: freeBytes,
    mem_used: totalBytes - freeBytes,
    mem_usage: totalBytes === 0 ? 0 : (totalBytes - freeBytes) / totalBytes,
    // How busy it is, is not asked for: that takes the driver a second.
    gpu_util: null,
  };
}

const sum = (cards: readonly Card[], field: "totalBytes" | "freeBytes"): number =>
  cards.reduce((total, card) => total + card[field], 0);
const inMiB = (cards: readonly Card[]): string =>
  `${Math.round(sum(cards, "totalBytes") / 2 ** 20)}MiB`;
