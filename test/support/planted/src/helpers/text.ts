// Breaks every-folder-is-in-the-table: `helpers` is no folder of the architecture.
import { fetchModel } from "../hub/fetch-model.ts";

export const text: string = fetchModel;
