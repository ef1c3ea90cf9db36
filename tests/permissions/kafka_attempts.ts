/**
 * The Kafka sink's Worker, and in it what a mistake in a client library, or somebody in its place, could try. Says in one line
 * of its log what each attempt got.
 *
 * @module
 */

import "../../plugins/sink_kafka/worker.ts";
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

/** What is tried against the machine that runs the tests. Each gives what it got. */
const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  "Deno.env": () => Deno.env.get("PATH"),
  "all of Deno.env": () => Deno.env.toObject(),
  "a file": () => Deno.readTextFileSync("/etc/passwd"),
  "a file by node:fs": () => readFileSync("/etc/passwd", "utf8"),
  "this file": () => Deno.readTextFileSync(fileURLToPath(import.meta.url)),
  "a folder": () => [...Deno.readDirSync("/")],
  "writing a file": () => Deno.writeTextFileSync("/tmp/pg-tide-attempt", "x"),
  "running a program": () => new Deno.Command("true").outputSync(),
  "the system": () => Deno.hostname(),
  "another host": () => visit("example.com", 443),
  "another port": () => visit("127.0.0.1", 1),
  "a server of its own": () => Deno.listen({ port: 0 }),
  "fetch": () => fetch("http://127.0.0.1:59999/"),
  "process.env": () => {
    if (Object.keys(process.env).length === 0) throw new Deno.errors.NotCapable("it is empty");
  },
};

function visit(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => connect(port, host, resolve).once("error", reject));
}

async function outcomeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "got it";
  } catch (error) {
    const text = String(error);
    // The lookup of a name is refused in other words.
    return /^NotCapable|getaddrinfo EPERM/.test(text) ? "refused" : text;
  }
}

const outcomes: Record<string, string> = {};
for (const [name, attempt] of Object.entries(ATTEMPTS)) outcomes[name] = await outcomeOf(attempt);
globalThis.postMessage({ t: "log", level: "info", text: JSON.stringify(outcomes) });
