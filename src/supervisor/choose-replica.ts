/** Which replica answers a request. Pure. */

export type ReplicaLoad = {
  readonly id: number;
  /** Answers under way. */
  readonly numRunning: number;
  /** Whether it was asked about all of the request's pictures before, and may have them encoded still. */
  readonly knowsPictures: boolean;
  /** Grows with every request: larger is later. */
  readonly lastChosen: number;
};

/**
 * The least busy. Encoding a picture again costs more than waiting behind one other answer, so a replica
 * that knows the pictures counts as one answer less busy. Of equals the one that was chosen longest ago,
 * so that idle replicas take turns.
 *
 * @returns `undefined` when there is none to choose from
 */
export function chooseReplica<Replica extends ReplicaLoad>(
  replicas: readonly Replica[],
): Replica | undefined {
  const cost = ({ numRunning, knowsPictures }: ReplicaLoad): number =>
    numRunning - (knowsPictures ? 1 : 0);
  return replicas.toSorted((a, b) => cost(a) - cost(b) || a.lastChosen - b.lastChosen)[0];
}
