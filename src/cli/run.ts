/**
 * `pg-tide run`: the relay, from start to the end of its drain.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../base/clock.ts";
import { EXIT } from "../base/errors.ts";
import { SecretKeeper } from "../base/secrets.ts";
import type { Logger } from "../base/telemetry.ts";
import { redactor } from "../config/redact.ts";
import type { Settings } from "../config/settings.ts";
import { closeLog, openLog } from "../observe/log.ts";
import { startRelay } from "../relay.ts";
import type { Output } from "./output.ts";
import { makeRelayName } from "./relay_name.ts";
import { type EndingSignal, listenForEnd, SIGNAL_EXITS } from "./signals.ts";
import { VERSION } from "./version.ts";

/** Run the relay until it is told to stop. The first signal drains; a second one ends at once. */
export async function run(settings: Settings, output: Output): Promise<number> {
  const secrets = new SecretKeeper(redactor);
  const log = await openLog({
    level: settings.logLevel,
    format: settings.logFormat,
    redact: (line) => secrets.redact(line),
    write: (line) => output.err(line),
  });
  const signals = listenForEnd();
  try {
    const served = serve(settings, log, secrets, signals.first);
    return await Promise.race([served, signals.second.then((second) => SIGNAL_EXITS[second])]);
  } finally {
    signals.close();
    await closeLog();
  }
}

async function serve(
  settings: Settings,
  log: Logger,
  secrets: SecretKeeper,
  stop: Promise<EndingSignal>,
): Promise<number> {
  const clock = SYSTEM_CLOCK;
  const name = settings.relayName ?? makeRelayName(clock);
  const relay = await startRelay({ settings, name, version: VERSION, log, secrets, clock });
  log.info("pg-tide runs", { version: VERSION, relay: name });
  log.info("Stopping: finishing what is in flight", { signal: await stop });
  await relay.stop();
  return EXIT.good;
}
