/**
 * Resolving `${env:NAME}`, `${file:/path}` and paths of files in a pipeline's configuration.
 *
 * The author of a pipeline's configuration is less trusted than the relay's operator: only names and paths that the operator
 * allows resolve, and the relay's own connection variables (`PG*`) never do. Errors name variables and paths, never values.
 *
 * @module
 */

import type { FieldSpec, Json } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { type FilePorts, FileReader, ResolveError } from "./file_reader.ts";
import { matchesGlob } from "./glob.ts";
import type { Declarations, Values } from "./parse.ts";
import { type Reference, referencesIn, replaceReferences } from "./reference.ts";
import { checkRules } from "./rules.ts";
import { checkValue } from "./value.ts";

/** The names of environment variables that resolve unless the operator says otherwise. */
export const ALLOW_ENV_DEFAULT: readonly string[] = [
  "KAFKA_*",
  "CONFLUENT_*",
  "SCHEMA_REGISTRY_*",
  "TIDE_SECRET_*",
];

/** The paths that resolve unless the operator says otherwise. */
export const ALLOW_FILE_DEFAULT: readonly string[] = [
  "/etc/pg-tide/*",
  "/etc/certs/*",
  "/etc/ssl/*",
  "/run/secrets/*",
];

/** What the operator allows. In a pattern `*` stands for any characters but `/`, and `**` for any. */
export interface InterpolationPolicy {
  readonly allowEnv: readonly string[];
  readonly allowFile: readonly string[];
}

/** The outside world, as interpolation needs it. */
export interface InterpolationPorts extends FilePorts {
  /** The value of an environment variable, or `undefined`. */
  env(name: string): string | undefined;
}

/** The outside world of this process. */
export const MACHINE_PORTS: InterpolationPorts = {
  env: (name) => Deno.env.get(name),
  readText: (path) => Deno.readTextFile(path),
  realPath: (path) => Deno.realPath(path),
};

/** A configuration whose references are resolved. */
export interface Interpolated {
  /** The values; where there is a problem, the field's value is `null`. */
  readonly values: Values;
  readonly problems: readonly Problem[];
  /** Texts that must never be shown. */
  readonly secrets: ReadonlySet<string>;
  /** Whether a value came, or should have come, from a file. */
  readonly namesFiles: boolean;
}

/** Resolve the references and read the files of a configuration that `parseFields` found good. */
export async function interpolate(
  { specs, rules }: Declarations,
  values: Values,
  policy: InterpolationPolicy,
  ports: InterpolationPorts,
): Promise<Interpolated> {
  const resolver = new Resolver(policy, ports);
  const resolved: Record<string, Json> = Object.create(null);
  for (const spec of specs) {
    resolved[spec.name] = await resolver.resolveField(spec, values[spec.name] ?? null);
  }
  const wrong = new Set(resolver.problems.map(({ field }) => field));
  const problems = [...resolver.problems, ...checkRules(rules, resolved, wrong)];
  return { values: resolved, problems, secrets: resolver.secrets, namesFiles: resolver.namesFiles };
}

class Resolver {
  readonly problems: Problem[] = [];
  readonly secrets = new Set<string>();
  namesFiles = false;
  readonly #policy: InterpolationPolicy;
  readonly #ports: InterpolationPorts;
  readonly #files: FileReader;

  constructor(policy: InterpolationPolicy, ports: InterpolationPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#files = new FileReader(policy.allowFile, ports);
  }

  async resolveField(spec: FieldSpec, value: Json): Promise<Json> {
    if (typeof value === "string") return await this.#resolveText(spec, spec.name, value);
    if (spec.type !== "string_map" || typeof value !== "object" || value === null || Array.isArray(value)) {
      return value;
    }
    const entries: Record<string, Json> = Object.create(null);
    for (const [name, entry] of Object.entries(value)) {
      entries[name] = typeof entry === "string"
        ? await this.#resolveText(spec, `${spec.name}.${name}`, entry)
        : entry;
    }
    return entries;
  }

  /** A field that is a path gives its file's text; a PEM text in place of a path stays as it is. */
  async #resolveText(spec: FieldSpec, field: string, text: string): Promise<Json> {
    try {
      const interpolated = await this.#replace(spec, field, text);
      const isPath = spec.file === true && !interpolated.trimStart().startsWith("-----BEGIN");
      const resolved = isPath ? await this.#readFile(field, interpolated, `"${text}"`) : interpolated;
      if (spec.secret === true && resolved !== "") this.secrets.add(resolved);
      return resolved;
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      this.problems.push({ field, message: error.message });
      return null;
    }
  }

  async #replace(spec: FieldSpec, field: string, text: string): Promise<string> {
    const references = referencesIn(text);
    if (references.length === 0 || spec.interpolates !== true) return text;
    const pieces: string[] = [];
    for (const reference of references) pieces.push(await this.#resolve(spec, field, reference));
    const resolved = replaceReferences(text, () => pieces.shift() ?? "");
    // The reference is shown in place of the value: what it stands for may be a secret in any field.
    const [problem] = spec.type === "string"
      ? checkValue(spec, resolved, { shownAs: `the value of "${text}"` })
      : [];
    if (problem !== undefined) throw new ResolveError(problem.message);
    return resolved;
  }

  async #resolve(spec: FieldSpec, field: string, { kind, target }: Reference): Promise<string> {
    if (kind === "file") {
      const text = (await this.#readFile(field, target)).replace(/\r?\n$/, "");
      if (text !== "") this.secrets.add(text);
      return text;
    }
    invariant(kind === "env", "parseFields has refused every other kind of reference");
    return this.#readVariable(spec, field, target);
  }

  async #readFile(field: string, path: string, shown?: string): Promise<string> {
    this.namesFiles = true;
    return await this.#files.read(field, path, shown);
  }

  #readVariable(spec: FieldSpec, field: string, name: string): string {
    const allowed = this.#policy.allowEnv;
    // Names are the same in any case on Windows.
    if (name.toUpperCase().startsWith("PG")) {
      throw new ResolveError(
        `Cannot resolve \${env:${name}} in ${field}: variables PG* are the relay's own, expected another`,
      );
    }
    if (!allowed.some((pattern) => matchesGlob(pattern, name))) {
      throw new ResolveError(
        `Cannot resolve \${env:${name}} in ${field}: the operator allows ${allowed.join(", ") || "none"} ` +
          `(the relay's --allow-env), expected one of those`,
      );
    }
    const value = this.#ports.env(name);
    if (value === undefined) {
      throw new ResolveError(
        `Cannot resolve \${env:${name}} in ${field}: the relay's environment has no variable ${name}`,
      );
    }
    if (value !== "" && (spec.secret === true || name.startsWith("TIDE_SECRET_"))) this.secrets.add(value);
    return value;
  }
}
