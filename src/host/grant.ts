/**
 * What a plugin's Worker may touch: its description, filled in from the configuration, within the operator's policy.
 *
 * @module
 */

import type { FieldSpec, Json, PluginDescription } from "@pg-tide/sdk";
import { EXIT, type Problem, UserError } from "../base/errors.ts";
import { parseAddress, parseAddresses, withoutCredentials } from "./address.ts";
import { HOST_LIMITS } from "./limits.ts";

/** The permissions of a Worker, with every key stated. */
export interface Grant {
  readonly env: false;
  readonly ffi: false;
  readonly import: false;
  /** `host:port` each. */
  readonly net: string[] | false;
  /** Paths of single files. */
  readonly read: string[] | false;
  readonly run: false;
  readonly sys: false;
  readonly write: false;
}

/** Whether a plugin was built in or brought by the operator. */
export type Origin = "first_party" | "external";

/** What a grant is computed from. */
export interface GrantRequest {
  readonly description: PluginDescription;
  readonly origin: Origin;
  /** The values of the plugin's own fields. */
  readonly fields: Readonly<Record<string, Json>>;
  /** Hosts that the plugin has discovered, or asked for by a fault. */
  readonly discovered: readonly string[];
  /** Hosts that the operator allows this plugin besides (`--plugin-net`). */
  readonly operatorNet: readonly string[];
  /** The path of a packaged file. */
  readonly resolveAsset: (specifier: string) => string;
}

const TEMPLATE_REGEXP = /^\{([A-Za-z0-9_.]+)\}$/;

/** The permissions of a Worker that may touch nothing: enough to describe itself. */
export function noGrant(): Grant {
  return grantOf([], []);
}

/**
 * Compute a grant.
 *
 * A first-party plugin may reach what its description names, what the configuration names, and what it discovers. An
 * external one only what the configuration names, and what the operator allows.
 *
 * @throws {UserError} with all problems, each naming the field and its value
 */
export function computeGrant(request: GrantRequest): Grant {
  const problems: Problem[] = [];
  const { permissions } = request.description;
  const derived = (permissions.net ?? []).flatMap((entry) => expand(entry, request, problems));
  const operator = request.operatorNet.map((host) => parseAddress(host) ?? host);
  const discovered = request.discovered.flatMap((host) => checkDiscovered(host, request, derived, problems));
  const assets = permissions.assets ?? [];
  if (assets.length > 0 && request.origin === "external") {
    problems.push({
      field: "",
      message: "permissions.assets: an external plugin is one file and has no others",
    });
  }
  const hosts = [...new Set([...derived, ...operator, ...discovered])];
  if (hosts.length > HOST_LIMITS.hosts) {
    const message = `${hosts.length} hosts, expected at most ${HOST_LIMITS.hosts}`;
    problems.push({ field: "", message });
  }
  if (problems.length > 0) throw grantError(request.description, problems);
  return grantOf(hosts, assets.map(request.resolveAsset));
}

/** Whether every host is in the grant. */
export function covers(grant: Grant, hosts: readonly string[]): boolean {
  const { net } = grant;
  return hosts.every((host) => net !== false && net.includes(parseAddress(host) ?? host));
}

/** Without a prototype: a key that is not stated would be looked up in a polluted `Object.prototype`. */
function grantOf(net: readonly string[], read: readonly string[]): Grant {
  const keys = { env: false, ffi: false, import: false, run: false, sys: false, write: false } as const;
  const grant: Grant = Object.assign(Object.create(null), {
    ...keys,
    net: net.length > 0 ? [...net] : false,
    read: read.length > 0 ? [...read] : false,
  });
  return Object.freeze(grant);
}

/** The addresses that an entry of `permissions.net` stands for. */
function expand(entry: string, request: GrantRequest, problems: Problem[]): string[] {
  const field = TEMPLATE_REGEXP.exec(entry)?.[1];
  if (field === undefined) return expandLiteral(entry, request, problems);
  const value = request.fields[field] ?? null;
  if (value === null || value === "") return [];
  const addresses = typeof value === "string" ? parseAddresses(value) : null;
  if (addresses !== null) return addresses;
  const spec = request.description.fields.find(({ name }) => name === field);
  const message = `${field} is ${
    shown(value, spec)
  }, expected a comma-separated list of host:port, or a URL with a host`;
  problems.push({ field, message });
  return [];
}

function expandLiteral(entry: string, request: GrantRequest, problems: Problem[]): string[] {
  const address = parseAddress(entry);
  const allowed = request.origin === "first_party" ||
    request.operatorNet.some((host) => parseAddress(host) === address);
  if (address !== null && allowed) return [address];
  const message = address === null
    ? `permissions.net holds ${JSON.stringify(entry.slice(0, 100))}, expected host:port or {field}`
    : `it asks for ${address}, which no field names; allow it with --plugin-net ${request.description.name}=${address}`;
  problems.push({ field: "", message });
  return [];
}

function checkDiscovered(
  host: string,
  request: GrantRequest,
  derived: readonly string[],
  problems: Problem[],
): string[] {
  const address = parseAddress(host);
  if (address === null) {
    const message = `it wants to reach ${JSON.stringify(host.slice(0, 100))}, expected host:port`;
    problems.push({ field: "", message });
    return [];
  }
  const allowed = request.origin === "first_party"
    ? request.description.permissions.discoversHosts === true
    : request.operatorNet.some((one) => parseAddress(one) === address);
  if (allowed || derived.includes(address)) return [address];
  const message =
    `it wants to reach ${address}, which the configuration does not name; allow it with --plugin-net ` +
    `${request.description.name}=${address}`;
  problems.push({ field: "", message });
  return [];
}

function shown(value: Json, spec: FieldSpec | undefined): string {
  if (spec?.secret === true) return "a secret of another form";
  return JSON.stringify(
    withoutCredentials(typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200),
  );
}

function grantError({ kind, name }: PluginDescription, problems: readonly Problem[]): UserError {
  const details = problems.map(({ message }) => message).join("; ");
  return new UserError(`Cannot grant ${kind} "${name}" what it needs: ${details}`, {
    code: "PLUGIN_GRANT",
    advice: "Correct the pipeline's configuration, or allow the host when the relay is started.",
    exitCode: EXIT.usage,
    problems,
  });
}
