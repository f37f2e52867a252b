/** An oriented, opaque picture: what decoding ends in and what every engine is given. */
export type RgbImage = {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 3]`, 8 bits, RGB. */
  readonly pixels: Uint8Array;
};
