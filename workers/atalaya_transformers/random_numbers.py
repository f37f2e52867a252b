"""A repeatable source of uniform numbers: the native engine's, so that a seed means the same to both.

xoshiro128**, seeded through SplitMix32; see `src/engines/native/random.ts`.
"""

MASK = 0xFFFFFFFF


def _rotate_left(value: int, count: int) -> int:
    return ((value << count) | (value >> (32 - count))) & MASK


class Random:
    def __init__(self, seed: int) -> None:
        mixed = seed & MASK
        self._state = []
        for _ in range(4):
            mixed = (mixed + 0x9E3779B9) & MASK
            z = ((mixed ^ (mixed >> 16)) * 0x85EBCA6B) & MASK
            z = ((z ^ (z >> 13)) * 0xC2B2AE35) & MASK
            self._state.append(z ^ (z >> 16))

    def next(self) -> float:
        """The next number in [0, 1), with 53 random bits."""
        high = self._bits()
        return (high * 2**21 + (self._bits() >> 11)) / 2**53

    def _bits(self) -> int:
        s0, s1, s2, s3 = self._state
        result = (_rotate_left((s1 * 5) & MASK, 7) * 9) & MASK
        t2, t3 = s2 ^ s0, s3 ^ s1
        self._state = [s0 ^ t3, s1 ^ t2, t2 ^ ((s1 << 9) & MASK), _rotate_left(t3, 11)]
        return result
