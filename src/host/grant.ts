/**
 * What a plugin's Worker may touch: its description, filled in from the configuration, within the operator's policy.
 *
 * @module
 */

import type { FieldSpec, Json, PluginDescription } from "@pg-tide/sdk";
import { EXIT, type Problem, UserError } from "../base/errors.ts";
import { parseAddress, parseAddresses, withoutCredentials } from "./address.ts";
import { HOST_LIMITS } from "./limits.ts";
import { isMetadataHost } from "./metadata_host.ts";

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
  /** Hosts that the operator allows this plugin (`--plugin-net`). */
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
 * external one only what the configuration names, and what the operator allows. Guarded hosts, and metadata services under
 * whatever field, need the operator's word in any case: whoever writes a configuration must not get at the machine's identity.
 *
 * @throws {UserError} with all problems, each naming the field and its value
 */
export function computeGrant(request: GrantRequest): Grant {
  const problems: Problem[] = [];
  const { permissions } = request.description;
  const derived = [
    ...(permissions.net ?? []).flatMap((entry) => expand(entry, request, problems)),
    ...(permissions.guardedNet ?? []).flatMap((entry) => expandGuarded(entry, request, problems)),
  ];
  const operator = request.origin === "external"
    ? request.operatorNet.map((host) => parseAddress(host) ?? host)
    : [];
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
  if (addresses !== null) return addresses.filter((address) => isOpen(address, field, request, problems));
  const spec = request.description.fields.find(({ name }) => name === field);
  const message = `${field} is ${
    shown(value, spec)
  }, expected a comma-separated list of host:port, or a URL with a host`;
  problems.push({ field, message });
  return [];
}

function expandLiteral(entry: string, request: GrantRequest, problems: Problem[]): string[] {
  const address = parseAddress(entry);
  const allowed = request.origin === "first_party" || (address !== null && isAllowed(address, request));
  if (address !== null && allowed) return [address];
  const message = address === null
    ? `permissions.net holds ${JSON.stringify(entry.slice(0, 100))}, expected host:port or {field}`
    : `it asks for ${address}, which no field names; allow it with --plugin-net ${request.description.name}=${address}`;
  problems.push({ field: "", message });
  return [];
}

/** The addresses that an entry of `permissions.guardedNet` stands for: only those that the operator allows. */
function expandGuarded(entry: string, request: GrantRequest, problems: Problem[]): string[] {
  const field = TEMPLATE_REGEXP.exec(entry)?.[1] ?? "";
  return expand(entry, request, problems).filter((address) => {
    const allowed = isAllowed(address, request);
    // What `expand` lets through is no metadata service, or allowed.
    if (!allowed) problems.push({ field, message: guarded(field === "" ? "it" : field, address, request) });
    return allowed;
  });
}

/** Whether the operator's word is not needed for a host that a configuration or a cluster names, or is given. */
function isOpen(address: string, namedBy: string, request: GrantRequest, problems: Problem[]): boolean {
  const host = address.slice(0, address.lastIndexOf(":"));
  if (!isMetadataHost(host) || isAllowed(address, request)) return true;
  problems.push({ field: namedBy, message: guarded(namedBy, address, request) });
  return false;
}

function isAllowed(address: string, { operatorNet }: GrantRequest): boolean {
  return operatorNet.some((host) => parseAddress(host) === address);
}

function guarded(namedBy: string, address: string, { description }: GrantRequest): string {
  return `${namedBy} names ${address}, which can hand out the identity of the relay's machine: only the relay's operator may ` +
    `allow that, with --plugin-net ${description.name}=${address}`;
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
    : isAllowed(address, request);
  if (allowed || derived.includes(address)) {
    return isOpen(address, "the cluster", request, problems) ? [address] : [];
  }
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
