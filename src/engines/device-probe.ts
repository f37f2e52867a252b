/**
 * A process of its own that loads the back ends and says which devices they have: drivers take memory, and
 * may crash, and neither is to happen to whoever asks.
 *
 * Prints one line of JSON, a `ProbedDevices`.
 */
import { listDevices, loadAccelerators } from "../ggml/accelerators.ts";
import { installedAccelerators } from "./installed-accelerators.ts";

const problems = loadAccelerators(await installedAccelerators());
process.stdout.write(`${JSON.stringify({ devices: listDevices(), problems })}\n`, () => {
  // Drivers' threads would keep it.
  process.exit(0);
});
