/**
 * What a broker says that it was asked: Kafka's own log of requests.
 *
 * ```ts
 * await using kafka = await startKafka({ jvmOptions: [...JVM_OPTIONS, LOG_REQUESTS] });
 * // …
 * const produced = await requestsOf(kafka, "my-client", "PRODUCE");
 * ```
 *
 * @module
 */

import type { KafkaServer } from "./kafka.ts";

/** An option of the broker's JVM by which it logs every request. */
export const LOG_REQUESTS = "-Dorg.slf4j.simpleLogger.log.kafka.request.logger=debug";

/** A request that the broker has answered, as its log tells it. */
export interface LoggedRequest {
  /** `PRODUCE`, `METADATA`, … */
  readonly api: string;
  readonly clientId: string;
  /** The request by the names of the protocol's documents; of record batches only the sizes. */
  readonly request: LoggedBody;
  readonly response: LoggedBody;
  /** Both ends of the connection, and its number. */
  readonly connection: string;
  /** Who the client is to the broker, by what it said in its ApiVersions request. */
  readonly client: { readonly softwareName: string; readonly softwareVersion: string };
}

/** Fields of the protocol that tests look at. */
export interface LoggedBody {
  readonly acks?: number;
  readonly timeoutMs?: number;
  readonly topicData?: readonly {
    readonly name: string;
    readonly partitionData: readonly { readonly index: number; readonly recordsSizeInBytes: number }[];
  }[];
  readonly allowAutoTopicCreation?: boolean;
  readonly topics?: readonly { readonly name: string; readonly errorCode?: number }[];
}

const LINE_START = "kafka.request.logger - Completed request:";

/**
 * The requests of one client, in the order in which the broker answered them. It logs a moment after its answer: wait for the one that
 * is looked for.
 */
export async function requestsOf(
  kafka: KafkaServer,
  clientId: string,
  api: string,
): Promise<readonly LoggedRequest[]> {
  // A line at the end may not be whole yet.
  const lines = (await kafka.log()).split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const start = line.indexOf(LINE_START);
    if (start < 0 || !line.includes(clientId)) return [];
    const logged = parseLine(line.slice(start + LINE_START.length));
    return logged.clientId === clientId && logged.api === api ? [logged] : [];
  });
}

function parseLine(json: string): LoggedRequest {
  const { requestHeader, request, response, connection, clientInformation } = JSON.parse(json);
  const { requestApiKeyName: api, clientId } = requestHeader;
  return { api, clientId, request, response, connection, client: clientInformation };
}
