/** Progressive JPEG files made by hand: grey all over, in as many scans as one likes, each of a few bytes. */

/** Blocks that one symbol says nothing changes in, at most. */
const longestRun = 32_767;

/** The size whose blocks are as many such runs as `scale` squared. */
export function manyScansSize(scale: number): { readonly width: number; readonly height: number } {
  return { width: 8 * 151 * scale, height: 8 * 217 * scale };
}

/**
 * A JPEG of `manyScansSize(scale)` in which every scan is one that the format allows: a coefficient of a
 * component, from its first bit to its last, all nothing.
 *
 * @param numScans 2,646 at most, beside three for the mean values
 */
export function jpegOfManyScans({ scale, numScans }: { scale: number; numScans: number }): Buffer {
  const { width, height } = manyScansSize(scale);
  const means = entropyCoded("0".repeat(longestRun * scale ** 2));
  const nothing = entropyCoded(`0${"1".repeat(14)}`.repeat(scale ** 2));
  return Buffer.concat([
    Buffer.of(0xff, 0xd8),
    segment(0xdb, [0, ...Array<number>(64).fill(1)]),
    segment(0xc2, [8, ...uint16(height), ...uint16(width), 3, ...components.flatMap(oneToOne)]),
    oneCode(0x00, 0),
    oneCode(0x10, 14 << 4),
    ...components.flatMap((component) => [scan(component, 0, 0), means]),
    ...coefficients()
      .slice(0, numScans)
      .flatMap(({ component, index, bits }) => [scan(component, index, bits), nothing]),
    Buffer.of(0xff, 0xd9),
  ]);
}

const components = [1, 2, 3];

function coefficients(): { component: number; index: number; bits: number }[] {
  return Array.from({ length: 14 }, (_, done) => 13 - done).flatMap((bit) =>
    components.flatMap((component) =>
      Array.from({ length: 63 }, (_, index) => ({
        component,
        index: index + 1,
        bits: bit === 13 ? bit : ((bit + 1) << 4) | bit,
      })),
    ),
  );
}

const uint16 = (value: number): number[] => [value >> 8, value & 0xff];
const oneToOne = (component: number): number[] => [component, 0x11, 0];

function segment(marker: number, content: readonly number[]): Buffer {
  return Buffer.from([0xff, marker, ...uint16(content.length + 2), ...content]);
}

/** A table of one code, the bit 0. */
function oneCode(table: number, symbol: number): Buffer {
  return segment(0xc4, [table, 1, ...Array<number>(15).fill(0), symbol]);
}

function scan(component: number, coefficient: number, bits: number): Buffer {
  return segment(0xda, [1, component, 0, coefficient, coefficient, bits]);
}

/** Bits, filled up with ones; a byte of ones is followed by one of zeros. */
function entropyCoded(bits: string): Buffer {
  const bytes = bits.match(/.{1,8}/g) ?? [];
  return Buffer.from(
    bytes.flatMap((byte) => {
      const value = Number.parseInt(byte.padEnd(8, "1"), 2);
      return value === 0xff ? [value, 0] : [value];
    }),
  );
}
