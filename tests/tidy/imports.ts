/**
 * Checks what files import against the table of rooms, and the graph that they make.
 *
 * @module
 */

import { posix } from "node:path";
import { type Room, SDK } from "./rooms.ts";
import { type SourceFile, typeScript } from "./source_tree.ts";
import { type Import, importsOf } from "./syntax.ts";
import type { Finding } from "./waivers.ts";

/** What the imports are checked against; a test may bring its own. */
export interface ImportRules {
  readonly rooms: readonly Room[];
  /** The `imports` of deno.json. */
  readonly importMap: Readonly<Record<string, string>>;
}

const CODE = ["main.ts", "src/", "plugins/", "tests/"];

/** Imports that the rooms do not allow. A waiver names `from → to`. */
export function forbiddenImports(files: readonly SourceFile[], rules: ImportRules): readonly Finding[] {
  return files.filter(({ path }) => path.endsWith(".ts")).flatMap((file) => {
    const room = roomOf(file.path, rules.rooms);
    if (room === undefined) {
      return [{ subject: file.path, problem: `${file.path}: belongs to no room of rooms.ts` }];
    }
    return importsOf(file).flatMap((imported) => {
      const target = targetOf(file.path, imported.specifier);
      const problem = refusal(room, target, imported.url, rules);
      if (problem === null) return [];
      return [{
        subject: `${file.path} → ${target}`,
        problem: `${file.path}:${imported.line}: ${target} ${problem}`,
      }];
    });
  });
}

/** Packages of deno.json that nothing imports. */
export function unusedPackages(files: readonly SourceFile[], rules: ImportRules): readonly string[] {
  const used = new Set(
    typeScript(files, CODE).flatMap((file) =>
      importsOf(file).map(({ specifier }) => packageOf(specifier, rules.importMap))
    ),
  );
  return Object.keys(rules.importMap).filter((name) => !used.has(name))
    .map((name) => `deno.json: nothing imports ${name}`);
}

/** Files that import each other in a circle, each circle once. */
export function circles(files: readonly SourceFile[]): readonly string[] {
  const graph = importGraph(files);
  const finished = new Set<string>();
  const found: string[] = [];
  const follow = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(" → "));
    if (start >= 0 || finished.has(path)) return;
    for (const next of graph.get(path) ?? []) follow(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of graph.keys()) follow(path, []);
  return found;
}

/** The files that one of `entries` needs, in whatever way. */
export function reachable(files: readonly SourceFile[], entries: readonly string[]): ReadonlySet<string> {
  const graph = importGraph(files);
  const open = [...entries];
  const seen = new Set<string>();
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    open.push(...graph.get(path) ?? []);
  }
  return seen;
}

/** A file's path, when a relative import or the SDK's name means one; else the specifier. */
export function targetOf(from: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : specifier;
}

function importGraph(files: readonly SourceFile[]): ReadonlyMap<string, readonly string[]> {
  const fileOf = (from: string, { specifier }: Import) =>
    specifier === SDK ? "plugins/sdk/mod.ts" : targetOf(from, specifier);
  return new Map(
    typeScript(files, CODE).map((file) => [file.path, importsOf(file).map((one) => fileOf(file.path, one))]),
  );
}

function roomOf(path: string, rooms: readonly Room[]): Room | undefined {
  return rooms.find(({ place }) => holds(place, path));
}

function holds(place: string, path: string): boolean {
  return place.endsWith("/") ? path.startsWith(place) : path === place;
}

/** Why a room may not import a target; null when it may. */
function refusal(room: Room, target: string, url: boolean, { rooms, importMap }: ImportRules): string | null {
  if (roomOf(target, rooms) !== undefined || target === SDK || target.endsWith(".json")) {
    const places = [room.place, ...room.may, ...url ? room.urls ?? [] : []];
    const allowed = places.some((place) => holds(place, target));
    return allowed ? null : `is not for ${room.place}, which may import ${room.may.join(", ") || "nothing"}`;
  }
  const isTest = room.place === "tests/";
  if (target.startsWith("node:")) {
    const allowed = isTest || (room.node ?? []).includes(target.slice("node:".length));
    return allowed ? null : `is not for ${room.place}`;
  }
  const name = packageOf(target, importMap);
  if (name === undefined) return "is not in the imports of deno.json";
  const allowed = isTest || (room.packages ?? []).includes(name);
  return allowed ? null : `is not for ${room.place}, only for its own room and tests`;
}

function packageOf(specifier: string, importMap: ImportRules["importMap"]): string | undefined {
  return Object.keys(importMap).find((name) => specifier === name || specifier.startsWith(`${name}/`));
}
