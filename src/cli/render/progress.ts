/** How far something is, in a few words. */

export function describeProgress({
  stage,
  fraction,
}: {
  readonly stage: string;
  readonly fraction: number | undefined;
}): string {
  return fraction === undefined ? stage : `${stage} ${Math.round(fraction * 100)} %`;
}
