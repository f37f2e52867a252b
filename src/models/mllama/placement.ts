/** On which device each part of a model lies: its weights, and what is computed and kept with them. Pure. */
import { CPU } from "../../ggml/device.ts";

export type Placement = {
  /** By layer of the text model: weights, and the cache of a self-attention layer or a picture's keys and values. */
  readonly layers: readonly string[];
  /** The last norm and the output head. */
  readonly head: string;
  /** The vision tower and the projector. */
  readonly tower: string;
};

export function allOn(device: string, numLayers: number): Placement {
  return {
    layers: Array.from({ length: numLayers }, () => device),
    head: device,
    tower: device,
  };
}

/** The cards that are used, in the order of their first layer. */
export function cardsOf({ layers, head, tower }: Placement): readonly string[] {
  return [...new Set([...layers, head, tower])].filter((device) => device !== CPU);
}

/** `undefined` where a step runs on the processor alone, and nothing has to be said. */
export function stepPlacement(placement: Placement): Placement | undefined {
  const { layers, head } = placement;
  return [...layers, head].every((device) => device === CPU) ? undefined : placement;
}

/**
 * What a tensor belongs to: the number of a layer, or a name.
 *
 * @param name as in the published files
 */
export function weightPlace(name: string): "embedding" | "head" | "tower" | `${number}` {
  const layer = /^language_model\.model\.layers\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return `${Number(layer)}`;
  if (name === "language_model.model.embed_tokens.weight") return "embedding";
  return name.startsWith("language_model.") ? "head" : "tower";
}

/**
 * Where a tensor lies. The embedding stays with the processor: of its rows a step reads a few, and a card
 * has better use for the room.
 */
export function deviceOfTensor({ layers, head, tower }: Placement, name: string): string {
  const place = weightPlace(name);
  if (place === "embedding") return CPU;
  if (place === "head") return head;
  return place === "tower" ? tower : (layers[Number(place)] ?? CPU);
}
