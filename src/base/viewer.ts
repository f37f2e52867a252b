/** Whose kept things somebody may see and use: files, batches, stored responses. */

/** What is kept names by `owner` who made it: a principal's id, or null when nobody needed to say who they are. */
export type Owner = string | null;

export type Viewer = {
  /** What it makes is kept under this. */
  readonly owner: Owner;
  /** Of everybody. */
  readonly seesAll: boolean;
  /** What was made before anybody had to say who they are. */
  readonly seesOwnerless: boolean;
};

/** The program itself, going on with work whose references were checked when it was asked for. */
export const theProgram: Viewer = { owner: null, seesAll: true, seesOwnerless: true };

/** Of whom nothing is known: nothing is there. */
export const nobody: Viewer = { owner: null, seesAll: false, seesOwnerless: false };

/** `state/seen-by.ts` says the same to the database. */
export function sees({ owner: own, seesAll, seesOwnerless }: Viewer, owner: Owner): boolean {
  if (seesAll) return true;
  return owner === null ? seesOwnerless : owner === own;
}
