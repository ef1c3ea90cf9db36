/**
 * A server in a JVM: a broker or ZooKeeper, with a file of properties in a folder of its own, that can be ended and started again.
 *
 * @module
 */

import { join } from "node:path";
import { ignoreNotFound } from "./cache.ts";
import { keepClassArchive, makeClassArchive } from "./class_archive.ts";
import { Daemon } from "./daemon.ts";

/** What to start. */
export interface JavaServerOptions {
  /** For errors. */
  readonly title: string;
  /** The folder of its jars. */
  readonly jars: string;
  readonly mainClass: string;
  readonly jvmOptions: readonly string[];
  /** What it logs once it can be used. */
  readonly readyText: string;
  /** An existing folder for its properties, its log and its data. */
  readonly folder: string;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** For a JVM that starts often, or beside others, on few cores: the quickest compiler, the smallest collector. */
export const QUICK_JVM: readonly string[] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

const READY_WITHIN_MS = 120_000;

/** Starts on request, and never outlives this process. */
export class JavaServer {
  readonly #options: JavaServerOptions;
  #daemon: Daemon | undefined;

  constructor(options: JavaServerOptions) {
    this.#options = options;
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** Where its properties are. */
  get propertiesFile(): string {
    return join(this.folder, "server.properties");
  }

  /** Write the properties that the next start reads. */
  async configure(properties: Readonly<Record<string, string>>): Promise<void> {
    await Deno.writeTextFile(this.propertiesFile, javaProperties(properties));
  }

  /** Whether it was started and not ended. */
  get running(): boolean {
    return this.#daemon !== undefined;
  }

  /** Start it, unless it runs, and wait until it can be used. */
  async start(): Promise<void> {
    if (this.#daemon !== undefined) return;
    const { title, jars, mainClass, jvmOptions, readyText, folder, signal } = this.#options;
    const options = [...jvmOptions, ...await makeClassArchive(jars, folder)];
    const logging = "-Dorg.slf4j.simpleLogger.showDateTime=true";
    const daemon = await Daemon.start({
      command: ["java", ...options, logging, "-cp", join(jars, "*"), mainClass, this.propertiesFile],
      folder,
      orphanSignal: "KILL",
    });
    this.#daemon = daemon;
    await daemon.ready(title, async () => (await daemon.log()).includes(readyText), READY_WITHIN_MS, signal);
  }

  /** What it has logged since its last start. */
  async log(): Promise<string> {
    return await this.#daemon?.log() ?? "";
  }

  /** Send a signal that does not end it: `SIGSTOP` or `SIGCONT`. */
  async signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    await this.#daemon?.signal(signal);
  }

  /** End it and keep its folder. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.end(signal);
    if (signal === "SIGTERM") await keepClassArchive(this.#options.jars, this.folder);
  }

  /** Kill it and remove its folder; twice is once. */
  async remove(): Promise<void> {
    await this.end("SIGKILL");
    await Deno.remove(this.#options.folder, { recursive: true }).catch(ignoreNotFound);
  }
}

/** A file of Java's properties. */
function javaProperties(properties: Readonly<Record<string, string>>): string {
  // A value of several lines needs its line ends escaped.
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`).join("");
}
