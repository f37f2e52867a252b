/** Closing lets answers under way reach their readers, and then keeps no connection open. */
import type { App } from "./http.ts";

/** Answers have ended by then; this is for their last bytes. */
const lingerMs = 2_000;

export function closeWhenAnswered(app: App): void {
  let numInFlight = 0;
  let onIdle: (() => void) | undefined;

  app.addHook("onRequest", async (_request, reply) => {
    numInFlight++;
    reply.raw.once("close", () => {
      numInFlight--;
      if (numInFlight === 0) onIdle?.();
    });
  });

  app.addHook("preClose", async () => {
    if (numInFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lingerMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    app.server.closeAllConnections();
  });
}
