import { describe, expect, test } from "vitest";
import { chooseReplica, type ReplicaLoad } from "./choose-replica.ts";

const replica = (id: number, load: Partial<ReplicaLoad> = {}): ReplicaLoad => ({
  id,
  numRunning: 0,
  knowsPictures: false,
  lastChosen: 0,
  ...load,
});

describe("a request goes to", () => {
  test.each([
    { why: "nobody, when there is nobody", among: [], id: undefined },
    {
      why: "the least busy",
      among: [replica(0, { numRunning: 2 }), replica(1, { numRunning: 1 })],
      id: 1,
    },
    {
      why: "of equals, the one that was chosen longest ago",
      among: [
        replica(0, { lastChosen: 7 }),
        replica(1, { lastChosen: 5 }),
        replica(2, { lastChosen: 6 }),
      ],
      id: 1,
    },
    {
      why: "the one that knows the pictures, behind one other answer",
      among: [replica(0, { lastChosen: 1 }), replica(1, { numRunning: 1, knowsPictures: true })],
      id: 1,
    },
    {
      why: "an idle one rather than wait behind two",
      among: [replica(0), replica(1, { numRunning: 2, knowsPictures: true })],
      id: 0,
    },
  ])("$why", ({ among, id }) => {
    expect(chooseReplica(among)?.id).toBe(id);
  });
});
