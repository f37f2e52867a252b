/**
 * A repeatable source of uniform numbers: xoshiro128**, seeded through SplitMix32.
 *
 * @see Blackman & Vigna 2018, "Scrambled linear pseudorandom number generators"
 */
export class Random {
  readonly #state: Uint32Array;

  /** @param seed unsigned 32 bits */
  constructor(seed: number) {
    let mixed = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    });
  }

  /** The next number in [0, 1), with 53 random bits. */
  next(): number {
    return (this.#bits() * 2 ** 21 + (this.#bits() >>> 11)) / 2 ** 53;
  }

  #bits(): number {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    this.#state[1] = s1 ^ t2;
    this.#state[0] = s0 ^ t3;
    this.#state[2] = t2 ^ (s1 << 9);
    this.#state[3] = rotateLeft(t3, 11);
    return result;
  }
}

function rotateLeft(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
