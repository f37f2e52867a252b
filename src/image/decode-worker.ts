/**
 * The process that decodes pictures: reads a file from standard input, writes pixels to standard
 * output, and does nothing else.
 *
 * In: for each picture its length (uint32, little endian) and its bytes. Out: once `ready`, then for
 * each picture a reply header (see `decode-protocol.ts`) and, when decoded, `[height, width, 3]`
 * pixels. It ends when its input does, and ends itself when it grows beyond its memory limit: libvips
 * works on other threads, so the timer that watches is never late.
 */
import sharp from "sharp";
import { flattenOnWhite } from "./alpha.ts";
import {
  exitCodes,
  lengthHeaderBytes,
  maxPixels,
  maxResidentBytes,
  replyHeader,
} from "./decode-protocol.ts";

sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: [
    "VipsForeignLoadPng",
    "VipsForeignLoadJpeg",
    "VipsForeignLoadWebp",
    "VipsForeignLoadNsgif",
  ],
});

setInterval(() => {
  if (process.memoryUsage.rss() > maxResidentBytes) process.exit(exitCodes.outOfMemory);
}, 20).unref();

await send(replyHeader("ready", { width: 0, height: 0 }));
for await (const file of filesFromInput()) await answer(file);

/**
 * EXIF orientation is applied, embedded colour profiles are not: the reference's decoder knows none.
 * Greys and palettes become RGB; 16 bits become 8; of an animation the first frame is taken.
 */
async function answer(file: Uint8Array): Promise<void> {
  try {
    const { data, info } = await sharp(file, {
      limitInputPixels: maxPixels,
      failOn: "error",
      sequentialRead: true,
      ignoreIcc: true,
    })
      .autoOrient()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    await send(replyHeader("decoded", info));
    await send(flattenOnWhite(data, info.channels));
  } catch {
    // libvips' words may hold addresses and paths; the caller has its own sentence.
    await send(replyHeader("damaged", { width: 0, height: 0 }));
  }
}

async function* filesFromInput(): AsyncGenerator<Uint8Array, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of process.stdin) {
    if (!Buffer.isBuffer(chunk)) throw new Error("standard input is not binary");
    pending.push(chunk);
    pendingBytes += chunk.length;
    while (pendingBytes >= lengthHeaderBytes) {
      const first = pending[0];
      // Headers may straddle chunks; joining is rare and cheap until a whole file is there.
      const head =
        first !== undefined && first.length >= lengthHeaderBytes ? first : Buffer.concat(pending);
      const end = lengthHeaderBytes + head.readUInt32LE(0);
      if (pendingBytes < end) break;
      const all = pending.length === 1 ? head : Buffer.concat(pending);
      yield all.subarray(lengthHeaderBytes, end);
      pending = all.length > end ? [all.subarray(end)] : [];
      pendingBytes = all.length - end;
    }
  }
}

async function send(bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
