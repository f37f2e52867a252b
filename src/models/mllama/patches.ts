/**
 * Cut tiles into patches, as the rows that the patch embedding multiplies. Pure.
 *
 * @param pixelValues `[numTiles, 3, tileSize, tileSize]`
 * @param numSlots rows are made for this many tiles; those beyond `numTiles` are zero
 * @returns `[numSlots, patchesPerSide², 3 · patchSize²]`, a patch's numbers ordered channel, y, x
 */
export function cutPatches(
  pixelValues: Float32Array,
  sizes: { readonly tileSize: number; readonly patchSize: number; readonly numSlots: number },
): Float32Array {
  const { tileSize, patchSize, numSlots } = sizes;
  const perSide = tileSize / patchSize;
  const patchLength = 3 * patchSize * patchSize;
  const numTiles = pixelValues.length / (3 * tileSize * tileSize);
  const patches = new Float32Array(numSlots * perSide * perSide * patchLength);
  let target = 0;
  for (let tile = 0; tile < numTiles; tile++) {
    for (let patch = 0; patch < perSide * perSide; patch++) {
      const top = Math.floor(patch / perSide) * patchSize;
      const left = (patch % perSide) * patchSize;
      for (let channel = 0; channel < 3; channel++) {
        const plane = (tile * 3 + channel) * tileSize;
        for (let y = 0; y < patchSize; y++) {
          const source = (plane + top + y) * tileSize + left;
          patches.set(pixelValues.subarray(source, source + patchSize), target);
          target += patchSize;
        }
      }
    }
  }
  return patches;
}
