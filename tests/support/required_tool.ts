/**
 * The programs that the tests call and do not bring along: found, else installed where that can be done unasked.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- an installation takes a while: whoever waits is told for what

import { lastLines, runCommand } from "./command.ts";
import { installAdvice, MissingToolError } from "./errors.ts";

/** A program that {@link requireTool} knows. */
export type Tool = "java" | "javac" | "kcat" | "mvn" | "npm";

/** The oldest Java that runs Apache Kafka's brokers. */
const OLDEST_JAVA = 17;

/** Debian's packages, by program; the first choice that a release of Debian has is taken. */
const PACKAGES: Readonly<Record<Tool, readonly (readonly string[])[]>> = {
  java: [["openjdk-17-jre-headless"], ["default-jre-headless"]],
  javac: [["openjdk-17-jdk-headless"], ["default-jdk-headless"]],
  kcat: [["kcat"]],
  mvn: [["maven"]],
  npm: [["nodejs", "npm"]],
};

const required = new Map<Tool, Promise<void>>();

/**
 * Make sure that a program is there. Root on Debian gets it by `apt-get install`; everybody else is told what to type.
 *
 * @throws MissingToolError when it is neither there nor could be installed
 */
export function requireTool(tool: Tool): Promise<void> {
  let known = required.get(tool);
  if (known === undefined) {
    known = findOrInstall(tool);
    required.set(tool, known);
  }
  return known;
}

async function findOrInstall(tool: Tool): Promise<void> {
  const lack = await lackOf(tool);
  if (lack === undefined) return;
  if (!(await mayInstall())) throw new MissingToolError(lack, installAdvice(tool));
  const said = await install(tool);
  const still = await lackOf(tool);
  if (still === undefined) return;
  throw new MissingToolError(`${still}, and apt-get could not install it:\n${said}`, installAdvice(tool));
}

/** What is wrong with a program; undefined when it can be used. */
async function lackOf(tool: Tool): Promise<string | undefined> {
  const { code } = await runCommand("sh", ["-c", `command -v ${tool}`]);
  if (code !== 0) return `Cannot run ${tool}: it is not installed`;
  if (tool !== "java") return undefined;
  const { stderr } = await runCommand("java", ["-version"]);
  const major = Number(/version "(\d+)/.exec(stderr)?.[1]);
  if (major >= OLDEST_JAVA) return undefined;
  return `Cannot run Apache Kafka: java is ${stderr.split("\n")[0]}, expected ${OLDEST_JAVA} or newer`;
}

async function mayInstall(): Promise<boolean> {
  return Deno.uid() === 0 && (await runCommand("sh", ["-c", "command -v apt-get"])).code === 0;
}

/** @returns the end of what apt-get said */
async function install(tool: Tool): Promise<string> {
  console.error(`Installing ${PACKAGES[tool][0]?.join(" ")} with apt-get, because ${tool} is missing`);
  let result = await apt(["update"]);
  for (const packages of PACKAGES[tool]) {
    result = await apt(["install", "-y", "--no-install-recommends", ...packages]);
    if (result.code === 0) break;
  }
  return lastLines(`${new TextDecoder().decode(result.stdout)}\n${result.stderr}`, 6);
}

function apt(args: readonly string[]) {
  // Another process may be installing as well: wait for it instead of failing.
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300"];
  return runCommand("apt-get", [...options, ...args], { env: { DEBIAN_FRONTEND: "noninteractive" } });
}
