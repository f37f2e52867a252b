/**
 * In which rows the vision tower computes a picture, and what each row stands for. Pure.
 *
 * A picture has `maxTiles` tile slots; those it does not fill hold zeros and still take part in
 * attention. Slots without a picture enter the tower identical, see the same keys, and so stay
 * identical in every layer; so do the rows that pad each tile. One row can therefore stand for all
 * its equals, when its key counts as often as they are many (`docs/adr` on unused tiles).
 *
 * @see mllama.md §4, consequence (a)
 */
export type VisionLayout = {
  /** Tiles with picture in them. */
  readonly numTiles: number;
  /** Tile slots computed: the real tiles, then unused ones. */
  readonly numSlots: number;
  /** Rows of real tiles' patches and class tokens: the first rows, and the only visible queries. */
  readonly numRealRows: number;
  /** Rows of all computed slots' patches and class tokens. */
  readonly numTokenRows: number;
  /** Rows that pad each computed slot. */
  readonly padRowsPerSlot: number;
  readonly numRows: number;
  /** How many rows of the plain computation each row's key stands for. */
  readonly multiplicity: Float32Array;
};

type Sizes = {
  readonly maxTiles: number;
  /** Patches of a tile, and its class token. */
  readonly tokensPerTile: number;
  readonly numPadTokens: number;
};

/** Every row by itself: right for any weights, and what the saving is tested against. */
export function plainLayout(numTiles: number, sizes: Sizes): VisionLayout {
  return layout(numTiles, sizes, { numSlots: sizes.maxTiles, padRowsPerSlot: sizes.numPadTokens });
}

/** One row for all its equals: exact when unused slots' rows of the tile tables are zero. */
export function sharedLayout(numTiles: number, sizes: Sizes): VisionLayout {
  const numSlots = Math.min(numTiles + 1, sizes.maxTiles);
  return layout(numTiles, sizes, { numSlots, padRowsPerSlot: 1 });
}

function layout(
  numTiles: number,
  { maxTiles, tokensPerTile, numPadTokens }: Sizes,
  { numSlots, padRowsPerSlot }: { readonly numSlots: number; readonly padRowsPerSlot: number },
): VisionLayout {
  const numTokenRows = numSlots * tokensPerTile;
  const numRows = numTokenRows + numSlots * padRowsPerSlot;
  const multiplicity = new Float32Array(numRows).fill(1);
  for (let slot = 0; slot < numSlots; slot++) {
    const slotsMeant = slot < numTiles ? 1 : (maxTiles - numTiles) / (numSlots - numTiles);
    multiplicity.fill(slotsMeant, slot * tokensPerTile, (slot + 1) * tokensPerTile);
    const firstPad = numTokenRows + slot * padRowsPerSlot;
    const padsMeant = (slotsMeant * numPadTokens) / padRowsPerSlot;
    multiplicity.fill(padsMeant, firstPad, firstPad + padRowsPerSlot);
  }
  return {
    numTiles,
    numSlots,
    numRealRows: numTiles * tokensPerTile,
    numTokenRows,
    padRowsPerSlot,
    numRows,
    multiplicity,
  };
}
