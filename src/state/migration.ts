/**
 * How the database got its tables: each concern adds its own, in a file of its own, and a line here.
 *
 * A migration runs once, in the order of this list, and is never edited afterwards: a change to a table
 * is another migration. Its name is what a database remembers of it.
 */
export type Migration = {
  /** The concern, and a number within it: `events-1`. */
  readonly name: string;
  /** Statements that SQLite runs in one transaction. */
  readonly sql: string;
};
