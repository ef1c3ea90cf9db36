/**
 * The known name that a mistyped one probably meant.
 *
 * @module
 */

/**
 * The nearest of the known names, or `null` when none is near: at most one mistake in three characters, where a mistake is a
 * character too many, too few, another one, or two swapped. Case and the difference between `-`, `_` and `.` count for
 * nothing.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const wanted = normalized(name);
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, normalized(candidate), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function normalized(name: string): string {
  // Only so much of a name is looked at: a mistyped name is short, and the distance costs its square.
  return name.slice(0, 100).toLowerCase().replaceAll(/[-.]/g, "_");
}

/** Optimal string alignment distance, or `limit` when it is at least that. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length]!, limit);
}
