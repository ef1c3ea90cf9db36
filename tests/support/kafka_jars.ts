/**
 * Apache Kafka's jars, resolved by Maven once into the cache.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { cached } from "./cache.ts";
import { runOrThrow } from "./command.ts";
import { requireTool } from "./required_tool.ts";

/** The newest release; a test may ask for another one. */
export const KAFKA_VERSION = "4.4.0";

const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/**
 * The folder with the broker's jars and those of its command-line tools.
 *
 * @throws MissingToolError when Java 17 or Maven is not installed
 */
export async function kafkaJars(version: string): Promise<string> {
  await requireTool("java");
  return await cached(join("kafka", version), async (folder) => {
    await requireTool("mvn");
    const pom = join(folder, "pom.xml");
    await Deno.writeTextFile(pom, pomOf(version));
    const goal = [`${DEPENDENCY_PLUGIN}:copy-dependencies`, `-DoutputDirectory=${folder}`];
    try {
      await runOrThrow("mvn", ["-B", "-q", "-f", pom, ...goal, "-DincludeScope=runtime"], { cwd: folder });
    } catch (error) {
      throw new Error(`Cannot download Apache Kafka ${version}: is Maven Central reachable?`, {
        cause: error,
      });
    }
  });
}

/** The first of some classes that a version of Kafka has: its tools moved from package to package. */
export async function findClass(jars: string, candidates: readonly [string, ...string[]]): Promise<string> {
  const archives: Buffer[] = [];
  for await (const entry of Deno.readDir(jars)) {
    if (/^kafka(_2\.13|-tools)-.*\.jar$/.test(entry.name)) {
      archives.push(Buffer.from(await Deno.readFile(join(jars, entry.name))));
    }
  }
  for (const name of candidates) {
    // A jar's directory holds the names of its files as they are.
    const path = `${name.replaceAll(".", "/")}.class`;
    if (archives.some((archive) => archive.includes(path))) return name;
  }
  throw new Error(`Cannot find a class in ${jars}: none of ${candidates.join(", ")}`);
}

function pomOf(version: string): string {
  // The tools' dependency on Kafka Connect, and its web server, is not for those that the tests call.
  const withoutConnect = exclusions([
    ...["api", "json", "runtime", "transforms"].map((part) => `org.apache.kafka:connect-${part}`),
    ...["jetty", "jetty.ee10"].map((group) => `org.eclipse.${group}:*`),
    ...["core", "containers", "inject"].map((group) => `org.glassfish.jersey.${group}:*`),
  ]);
  // One binding of slf4j only; without any, the broker would log nothing, not even why it does not start.
  const withoutLogging = exclusions(["org.slf4j:slf4j-log4j12", "org.slf4j:slf4j-reload4j"]);
  // Brokers before 4.0 name classes of log4j 1, for which reload4j stands.
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>pg-tide</groupId>
  <artifactId>test-broker</artifactId>
  <version>1</version>
  <dependencies>
    ${dependency("org.apache.kafka", "kafka_2.13", version, withoutLogging)}
    ${dependency("org.apache.kafka", "kafka-tools", version, withoutConnect + withoutLogging)}
    ${dependency("org.slf4j", "slf4j-simple", "1.7.36", "")}
    ${dependency("ch.qos.reload4j", "reload4j", "1.2.25", "")}
  </dependencies>
</project>
`;
}

function dependency(group: string, artifact: string, version: string, excluded: string): string {
  const coordinates =
    `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`;
  return `<dependency>${coordinates}<exclusions>${excluded}</exclusions></dependency>`;
}

function exclusions(patterns: readonly string[]): string {
  return patterns.map((pattern) => {
    const [group, artifact] = pattern.split(":");
    return `<exclusion><groupId>${group}</groupId><artifactId>${artifact}</artifactId></exclusion>`;
  }).join("");
}
