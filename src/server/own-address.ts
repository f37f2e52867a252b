import type { App } from "./http.ts";

/** Where this server listens, as `host:port`; port 0 before it does. */
export function addressOf(app: App): string {
  const address = app.server.address();
  if (address === null || typeof address === "string") return "127.0.0.1:0";
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}
