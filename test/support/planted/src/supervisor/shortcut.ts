// Breaks engines-are-met-at-the-front-door: an engine's insides are its own.
import { runner } from "../engines/native/runner.ts";

export const shortcut: string = runner;
