import assert from "node:assert/strict";
import { ERROR_CLASSES } from "../../../plugins/sink_kafka/fault/classify.ts";
import { sharedKafka } from "../../support/kafka.ts";

/** Every error of the protocol, as the broker's release lists them for its documentation. */
async function errorsOfKafka() {
  const { tools } = await sharedKafka();
  const { stdout } = await tools.run("org.apache.kafka.common.protocol.Errors", []);
  const rows = new TextDecoder().decode(stdout).matchAll(
    /<tr>\s*<td>(\w+)<\/td>\s*<td>(-?\d+)<\/td>\s*<td>(True|False)<\/td>/g,
  );
  return [...rows].map(([, name, code, retriable]) => ({
    name: name!,
    code: Number(code),
    retriable: retriable === "True",
  }));
}

Deno.test("the Kafka sink knows every error of the broker's release, and repeats what Kafka's own client repeats", async () => {
  const errors = await errorsOfKafka();
  assert.ok(errors.length > 100, `${errors.length} errors were read`);
  assert.deepEqual(errors.filter(({ name, code }) => ERROR_CLASSES.get(code)?.name !== name), []);
  const repeated = ["retry", "refresh", "suspect"];
  const givenUp = errors.filter(({ code, retriable }) =>
    retriable && !repeated.includes(ERROR_CLASSES.get(code)!.decision)
  );
  assert.deepEqual(givenUp.map(({ name }) => name), []);
});
