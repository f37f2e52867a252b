/** What an attack is answered by: tests, or the reason why there is none. */
export type Attack =
  | {
      /** What comes in, in a few words. */
      readonly input: string;
      /** Files, from the repository's root, in which a test's name holds the attack's id. */
      readonly tests: readonly string[];
      /** What of it the tests leave out, and why. */
      readonly leavesOut?: string;
    }
  | {
      readonly input: string;
      /** Why nothing of it can be tested: the part of the program that it is aimed at does not exist. */
      readonly notBuilt: string;
    }
  | {
      readonly input: string;
      /** What a test would need, or what is known instead. */
      readonly untested: string;
    };

/** Attacks of one kind: `MF-01`, `MF-02` and so on, none left out. */
export type Section = {
  readonly prefix: string;
  readonly title: string;
  /** By the number in the id. */
  readonly attacks: Readonly<Record<string, Attack>>;
};
