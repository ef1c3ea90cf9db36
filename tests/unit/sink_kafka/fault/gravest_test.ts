import { type Fault, misconfigured, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { gravestOf } from "../../../../plugins/sink_kafka/fault/gravest.ts";

const DEAD = unavailable("BROKER_UNREACHABLE", "Cannot reach broker a");
const LOADING = unavailable("COORDINATOR_LOAD_IN_PROGRESS", "Broker b answers");
const HOSTS: Fault = { kind: "hosts", hosts: ["c:1"] };
const PASSWORD = misconfigured("SASL_AUTHENTICATION_FAILED", "Broker d refused", "Verify it");

Deno.test("gravestOf() tells what a person must mend before all, then what more hosts would mend", () => {
  assert.equal(gravestOf([DEAD, HOSTS, PASSWORD, LOADING]), PASSWORD);
  assert.equal(gravestOf([DEAD, LOADING, HOSTS]), HOSTS);
});

Deno.test("gravestOf() tells what a broker has answered before those that are not there", () => {
  const told = gravestOf([DEAD, DEAD, LOADING]);
  assert.ok(told.kind === "unavailable");
  assert.equal(told.code, "COORDINATOR_LOAD_IN_PROGRESS");
  assert.equal(told.reason, "Broker b answers. Nor does it work with any of the 2 other brokers");
});

Deno.test("gravestOf() tells the first of several alike, and what one broker alone says as it is", () => {
  const other = unavailable("BROKER_UNREACHABLE", "Cannot reach broker e");
  const told = gravestOf([DEAD, other]);
  assert.ok(told.kind === "unavailable");
  assert.equal(told.reason, "Cannot reach broker a. Nor does it work with the other broker");
  assert.equal(gravestOf([DEAD]), DEAD);
});
