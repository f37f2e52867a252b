// Breaks hub-imports-only-its-layers, closes a circle (no-cycles), and loads a foreign library.
import koffi from "koffi";
import { picture } from "../image/picture.ts";

export const fetchModel: string = picture + String(koffi.version);
