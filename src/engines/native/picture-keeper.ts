/** What the engine asks of whatever keeps pictures' vision tokens beyond its own memory. */

export type PictureEntry = {
  /** All that the tokens follow from: the picture, its tiles, the tower's weights, how they are computed. */
  readonly key: string;
  /** Of the tokens. */
  readonly sizeBytes: number;
};

export interface PictureKeeper {
  /** A picture's tokens as they were given, or `undefined`; it never throws. */
  read(entry: PictureEntry): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Keep them, in the background, when there is room and time; nobody waits for it. */
  write(entry: PictureEntry, tokens: Uint8Array<ArrayBuffer>): void;
  /** Wait for what is being written. */
  settle(): Promise<void>;
}
