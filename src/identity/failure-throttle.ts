/**
 * Slows down who guesses: after ten wrong keys or passwords within five minutes an address waits, and
 * longer each time. Another address is not affected. Pure but for the clock it is given.
 */
import { PlatformError } from "../base/errors.ts";

/** What slows whom down; all times in milliseconds. */
export const throttleRule = {
  windowMs: 5 * 60_000,
  maxFailures: 10,
  firstWaitMs: 15_000,
  longestWaitMs: 15 * 60_000,
} as const;
const { windowMs, maxFailures, firstWaitMs, longestWaitMs } = throttleRule;
/** Addresses that are remembered; the oldest are forgotten first. */
const maxPeers = 10_000;

type Peer = { readonly failures: number[]; waitMs: number; blockedUntil: number };

export class FailureThrottle {
  readonly #peers = new Map<string, Peer>();
  /** How many of an address's passwords are being checked. */
  readonly #checking = new Map<string, number>();
  readonly #nowMs: () => number;

  /** @param nowMs a clock that only goes forward */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @throws PlatformError `rate_limited`, with the seconds to wait */
  refuseBlocked(peer: string): void {
    const now = this.#nowMs();
    const blockedUntil = this.#peers.get(peerKey(peer))?.blockedUntil ?? 0;
    if (blockedUntil <= now) return;
    const retryAfter = Math.ceil((blockedUntil - now) / 1_000);
    throw new PlatformError(
      "rate_limited",
      `Too many wrong keys or passwords came from your address. Wait ${retryAfter} s.`,
      { details: { retryAfter } },
    );
  }

  /**
   * Check something that takes a while and may be wrong, such as a password: of one address no more at a time than may
   * still fail.
   *
   * @throws PlatformError `rate_limited`, with the seconds to wait
   */
  async attempt<Checked>(peer: string, check: () => Promise<Checked>): Promise<Checked> {
    this.refuseBlocked(peer);
    const key = peerKey(peer);
    const numChecked = this.#checking.get(key) ?? 0;
    const since = this.#nowMs() - windowMs;
    const numFailed = this.#peers.get(key)?.failures.filter((at) => at >= since).length ?? 0;
    if (numChecked > 0 && numChecked + numFailed >= maxFailures) {
      throw new PlatformError(
        "rate_limited",
        "Too many passwords from your address are being checked. Wait 1 s.",
        { details: { retryAfter: 1 } },
      );
    }
    this.#checking.set(key, numChecked + 1);
    try {
      return await check();
    } finally {
      const numLeft = (this.#checking.get(key) ?? 1) - 1;
      if (numLeft === 0) this.#checking.delete(key);
      else this.#checking.set(key, numLeft);
    }
  }

  /** Who waits now, and for how long; of IPv6 the network. */
  blocked(): readonly { readonly peer: string; readonly waitMs: number }[] {
    const now = this.#nowMs();
    return [...this.#peers]
      .map(([peer, { blockedUntil }]) => ({ peer, waitMs: blockedUntil - now }))
      .filter(({ waitMs }) => waitMs > 0);
  }

  /** Let it try again at once, as if it had not failed; everybody when absent. */
  forgive(peer?: string): void {
    if (peer === undefined) this.#peers.clear();
    // It may be shown to whoever asks here as its network.
    else for (const key of [peer, peerKey(peer)]) this.#peers.delete(key);
  }

  failed(peer: string): void {
    const now = this.#nowMs();
    const key = peerKey(peer);
    const known = this.#peers.get(key) ?? { failures: [], waitMs: 0, blockedUntil: 0 };
    // Last in order, so that who is heard of least is forgotten first.
    this.#peers.delete(key);
    this.#peers.set(key, known);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > maxPeers && oldest !== undefined) this.#peers.delete(oldest);
    if (now - known.blockedUntil > windowMs * 3) known.waitMs = 0;
    known.failures.push(now);
    while ((known.failures[0] ?? now) < now - windowMs) known.failures.shift();
    if (known.failures.length < maxFailures) return;
    known.waitMs = known.waitMs === 0 ? firstWaitMs : Math.min(known.waitMs * 2, longestWaitMs);
    known.blockedUntil = now + known.waitMs;
    known.failures.splice(0, known.failures.length - (maxFailures - 1));
  }
}

/** One who has an IPv6 network has all its addresses. */
export function peerKey(peer: string): string {
  if (!peer.includes(":") || peer.startsWith("::ffff:")) return peer;
  const [head = "", tail] = peer.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return groups.slice(0, 4).join(":");
}
