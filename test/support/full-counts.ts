/**
 * Some attacks count thousands of repetitions. A normal run does a part of them; with
 * `ATALAYA_FULL_COUNTS=1` all are done, which takes hours where a process is started for each.
 */
export const fullCounts = process.env["ATALAYA_FULL_COUNTS"] === "1";
