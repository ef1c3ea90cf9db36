/**
 * What each tier of the tests runs.
 *
 * @module
 */

/** `ok`: before every commit; `test`: the README's command and CI; `full`: all rounds, all versions. */
export type Tier = "ok" | "test" | "full";

/** One subprocess of a tier. */
export interface Step {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** The folder whose tests it runs; undefined for a check, which counts as one test. */
  readonly folder?: string;
  /** Whether it talks to the shared PostgreSQL and Kafka. */
  readonly servers?: boolean;
}

/** The tests that need nothing but Deno, and run side by side. */
const QUICK = ["tidy", "unit"] as const;

/** The others, each file alone: they share two servers and two cores. */
const SLOW = ["support", "property", "permissions", "conformance", "integration", "binary"] as const;

/** Folders below tests/ that hold no tests of the project. */
export const WITHOUT_TESTS: readonly string[] = ["bench", "demo", "soak"];

/** The steps of a tier, in order. Types are checked once, by a step of their own. */
export function stepsOf(tier: Tier): readonly Step[] {
  const quick: readonly Step[] = [
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "types", args: ["check", "--frozen", "."] },
    ...QUICK.map((layer) => testsOf(layer, ["--parallel"])),
  ];
  if (tier === "ok") return quick;
  return [...quick, ...SLOW.map((layer) => ({ ...testsOf(layer, []), servers: true }))];
}

/** The names of the test folders that {@link stepsOf} knows. */
export function plannedLayers(): readonly string[] {
  return [...QUICK, ...SLOW];
}

function testsOf(layer: string, flags: readonly string[]): Step {
  const folder = `tests/${layer}`;
  return { name: layer, args: ["test", "-A", "--frozen", "--no-check", ...flags, folder], folder };
}
