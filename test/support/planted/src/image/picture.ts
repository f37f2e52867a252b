// Breaks image-imports-only-its-layers: a picture does not know where models come from.
import { fetchModel } from "../hub/fetch-model.ts";

export const picture: string = fetchModel;
