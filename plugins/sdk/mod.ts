/**
 * All that a pg-tide plugin may import: the contract, columns, header lists, answers and faults, and the functions
 * that serve a sink or a format in its Worker.
 *
 * A plugin runs in a Worker of its own that may touch only what its description asks for, its configuration names
 * and the operator allows. An external plugin is one JavaScript file that imports this as `@pg-tide/sdk`.
 *
 * @module
 */

export { AnswerBuilder, delivered, faulted, misconfigured, unavailable } from "./answer.ts";
export {
  type Column,
  ColumnBuilder,
  columnLength,
  columnOf,
  NULL_RANGE,
  nullColumn,
  textAt,
  valueAt,
} from "./column.ts";
export {
  type Answer,
  CONTRACT_VERSION,
  type EncodedPage,
  type Failure,
  type Fault,
  type MessagePage,
  type Op,
  type Opened,
  OPS,
  PAGE_BYTES_MAX,
  type PermissionRequest,
  type PluginConfig,
  type PluginDescription,
  type PluginKind,
  type RecordPage,
  type Rejection,
  type TopicRule,
} from "./contract.ts";
export { defineFormat, defineSink, FaultError } from "./define.ts";
export type { FormatDefinition, OpenFormat, OpenSink, Progress, SinkDefinition } from "./definition.ts";
export type { FieldCondition, FieldRule, FieldSpec, FieldType, Json } from "./field.ts";
export { decodeHeaders, encodeHeaders, type Header, varintLength, writeVarint } from "./headers.ts";
