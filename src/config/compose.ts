/**
 * One set of declarations out of the kernel's, a sink's and a format's.
 *
 * @module
 */

import type { FieldCondition, FieldRule, FieldSpec, PluginDescription } from "@pg-tide/sdk";
import { invariant } from "../base/invariant.ts";
import { FORMAT_GROUP, KERNEL_FIELDS, SHARED_FIELDS } from "./kernel_fields.ts";
import type { Declarations, Values } from "./parse.ts";

/** A set of declarations that knows whose each field is. */
export interface ComposedFields extends Declarations {
  /** Split values by owner. A field that the kernel and the sink share is in both. */
  split(values: Values): SplitValues;
}

/** Values by owner, each under the name that its owner declared. */
export interface SplitValues {
  readonly kernel: Values;
  readonly sink: Values;
  readonly format: Values;
}

/**
 * Compose the declarations of a pipeline.
 *
 * A format's fields stand under `wire_config`. A sink's fields stand beside the kernel's; one of `SHARED_FIELDS` takes the
 * place of the kernel's.
 *
 * @param format `null` for the native format, which has no fields
 * @throws {InvariantError} when a sink declares a field that is the kernel's: such a plugin must not be registered
 */
export function composeFields(
  kernel: Declarations,
  sink: PluginDescription,
  format: PluginDescription | null,
): ComposedFields {
  const conflict = sink.fields.find((spec) => fieldConflict(kernel.specs, spec));
  invariant(conflict === undefined, `sink ${sink.name} declares ${conflict?.name}, a field of the kernel`);
  const sinkFields = new Map(sink.fields.map((spec) => [spec.name, spec]));
  const formatFields = (format?.fields ?? []).map((spec) => ({
    ...spec,
    name: `${FORMAT_GROUP}.${spec.name}`,
  }));
  const kernelFields = kernel.specs
    .filter(({ name }) => name !== FORMAT_GROUP || formatFields.length === 0)
    .map((spec) => sinkFields.get(spec.name) ?? spec);
  const shared = new Set(kernelFields.map(({ name }) => name));
  const ownFields = sink.fields.filter(({ name }) => !shared.has(name));
  return {
    specs: [...kernelFields, ...ownFields, ...formatFields],
    rules: [...kernel.rules, ...rulesOf(sink), ...(format?.rules ?? []).map(underFormatGroup)],
    split: (values) => ({
      kernel: pick(values, kernelFields),
      sink: pick(values, sink.fields),
      format: pick(values, formatFields, `${FORMAT_GROUP}.`),
    }),
  };
}

/** A plugin as the database knows it. */
export interface CatalogEntry extends PluginDescription {
  readonly rules: readonly FieldRule[];
}

/** A plugin as the database knows it: with the rules that follow from its description. */
export function catalogEntry(plugin: PluginDescription): CatalogEntry {
  return { ...plugin, rules: rulesOf(plugin) };
}

/** A plugin's rules, and those that follow from what else it says of itself. */
function rulesOf({ kind, name, partitions, rules = [] }: PluginDescription): readonly FieldRule[] {
  if (kind !== "sink" || partitions === true) return rules;
  const message = `partition cannot be used with the sink "${name}", which has no partitions: leave it out`;
  return [...rules, { when: { field: "partition" }, then: { field: "partition", is: [null] }, message }];
}

/** Whether a sink's field takes a name of the kernel that it may not take, or gives it another type. */
export function fieldConflict(kernel: readonly FieldSpec[], field: FieldSpec): boolean {
  const own = kernel.find(({ name }) => name === field.name || name.startsWith(`${field.name}.`));
  return own !== undefined &&
    !(SHARED_FIELDS.has(own.name) && own.type === field.type && own.name === field.name);
}

/** Why a plugin's fields cannot be used, or `null`: a sink's stand beside the kernel's, so they must have other names. */
export function fieldObjection({ kind, fields }: PluginDescription): string | null {
  const taken = kind === "sink" ? fields.find((field) => fieldConflict(KERNEL_FIELDS, field)) : undefined;
  return taken === undefined ? null : `its field ${taken.name} is one of the relay's own`;
}

function underFormatGroup({ when, then, message }: FieldRule): FieldRule {
  const move = (condition: FieldCondition) => ({ ...condition, field: `${FORMAT_GROUP}.${condition.field}` });
  return { when: move(when), then: move(then), message };
}

function pick(values: Values, specs: readonly FieldSpec[], prefix = ""): Values {
  return Object.fromEntries(specs.map(({ name }) => [name.slice(prefix.length), values[name] ?? null]));
}
