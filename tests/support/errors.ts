/**
 * What a test environment throws when the machine lacks something: never a skip, always the way to get it.
 *
 * @module
 */

/** A tool, package or port that the tests need and this machine does not give. */
export class MissingToolError extends Error {
  override readonly name = "MissingToolError";
  /** The command or setting that helps. */
  readonly advice: string;

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(`${message}\n  ${advice}`, options);
    this.advice = advice;
  }
}

/** How each program that the tests call is installed. */
const INSTALL: Readonly<Record<string, string>> = {
  npm: "Install Node.js 20 or newer, which brings npm: apt-get install nodejs npm, or brew install node",
  npx: "Install Node.js 20 or newer, which brings npx: apt-get install nodejs npm, or brew install node",
  java:
    "Install Java 17 or newer, and Maven: apt-get install openjdk-17-jre-headless maven, or brew install openjdk@17 maven",
  javac: "Install a JDK 17 or newer: apt-get install openjdk-17-jdk-headless, or brew install openjdk@17",
  kcat: "Install kcat: apt-get install kcat, or brew install kcat",
  mvn: "Install Maven: apt-get install maven, or brew install maven",
  tar: "Install tar: apt-get install tar",
};

/** What to type to get `program`. */
export function installAdvice(program: string): string {
  return INSTALL[program] ?? `Install ${program} and put it on the PATH`;
}
