/**
 * Chance that can be had again: the same numbers for the same names.
 *
 * @module
 */

/** Gives numbers in `[0, 1)`. */
export type Chance = () => number;

/** Numbers that depend on nothing but `names`: a seed, and what is to be decided. */
export function chanceOf(...names: readonly number[]): Chance {
  let state = 0x9e37_79b9;
  for (const name of names) state = scatter(state ^ scatter(name >>> 0));
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** One of `choices`. */
export function oneOf<T>(chance: Chance, choices: readonly T[]): T {
  return choices[Math.floor(chance() * choices.length)]!;
}

/** The finalizer of murmur3: neighbours get numbers that have nothing in common. */
function scatter(number: number): number {
  let h = (number + 0x9e37_79b9) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
