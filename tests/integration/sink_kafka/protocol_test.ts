import assert from "node:assert/strict";
import {
  classify,
  type Decision,
  ERROR_CLASSES,
  type ErrorClass,
} from "../../../plugins/sink_kafka/fault/classify.ts";
import { kafkaErrors } from "../../support/kafka_errors.ts";

/** Decisions by which a batch is sent again as it is. */
const REPEATED: ReadonlySet<Decision> = new Set(["retry", "refresh", "suspect"]);

/** What is repeated although Kafka's own producer gives up, and why. */
const PATIENT: Readonly<Record<string, string>> = {
  UNKNOWN_SERVER_ERROR: "a broker that stumbles is an outage, and an outage makes no dead letters",
  BROKER_NOT_AVAILABLE: "a broker that is gone is an outage",
  INELIGIBLE_REPLICA: "meant for brokers, while the replicas of a partition change",
  NEW_LEADER_ELECTED: "meant for brokers, while the leader of a partition changes",
  REBOOTSTRAP_REQUIRED: "Kafka's own client begins again with its bootstrap addresses, below its producer",
};

/** What asks for metadata although Kafka's own producer does not, and why. */
const CURIOUS: Readonly<Record<string, string>> = {
  NOT_CONTROLLER: "the metadata name the controller",
  BROKER_NOT_AVAILABLE: "another broker may lead by now",
  INELIGIBLE_REPLICA: "another replica may lead by now",
  NEW_LEADER_ELECTED: "another replica leads now",
  REBOOTSTRAP_REQUIRED: "all that is known of the cluster is in doubt",
};

Deno.test("the Kafka sink's table of errors stands beside Kafka's own", async (t) => {
  const errors = await kafkaErrors();
  assert.ok(errors.length > 130, `${errors.length} errors were read`);

  await t.step("it has every code, by the same name", () => {
    assert.deepEqual(errors.filter(({ name, code }) => ERROR_CLASSES.get(code)?.name !== name), []);
  });

  const both = errors.map((error) => ({ ...error, ...classify(error.code) }));
  const names = (some: (error: typeof both[number]) => boolean) =>
    both.filter(some).map(({ name }) => name).toSorted();
  const isOurs = ({ why }: ErrorClass) => why !== "not an answer to a producer";

  await t.step("it repeats what Kafka's client repeats, and little else", () => {
    const isRepeated = ({ decision }: ErrorClass) => REPEATED.has(decision);
    assert.deepEqual(names((error) => error.retriable && !isRepeated(error)), []);
    assert.deepEqual(
      names((error) => !error.retriable && isRepeated(error) && isOurs(error)),
      Object.keys(PATIENT).toSorted(),
    );
  });

  await t.step("it asks for metadata where Kafka's client does, and at few others", () => {
    const isAsked = ({ decision }: ErrorClass) => decision === "refresh";
    assert.deepEqual(names((error) => error.staleMetadata && !isAsked(error) && isOurs(error)), []);
    assert.deepEqual(
      names((error) => !error.staleMetadata && isAsked(error)),
      Object.keys(CURIOUS).toSorted(),
    );
  });
});
