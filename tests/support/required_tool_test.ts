import { strict as assert } from "node:assert";
import { join } from "node:path";
import { runCommand } from "./command.ts";

/**
 * Run `requireTool("java")` in a process whose PATH holds these scripts alone (and `sh`).
 *
 * @returns what it printed, "found" at the end when nothing was thrown
 */
async function requireJava(scripts: Readonly<Record<string, string>>, uid = 0): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, script] of Object.entries(scripts)) {
      await Deno.writeTextFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    await Deno.symlink("/bin/sh", join(folder, "sh"));
    const source = `
      Deno.uid = () => ${uid};
      const { requireTool } = await import(${JSON.stringify(import.meta.resolve("./required_tool.ts"))});
      try { await requireTool("java"); console.error("found"); } catch (error) { console.error(error.message); }`;
    const env = { PATH: folder, FOLDER: folder };
    return (await runCommand(Deno.execPath(), ["eval", "--no-check", source], { env })).stderr;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const java = (version: string) => `echo 'openjdk version "${version}"' >&2`;

/** An apt-get that knows one package, and makes it a java of this version. */
const aptWith = (name: string, version: string) =>
  `case "$*" in *" install "*" ${name}")
     printf '#!/bin/sh\\necho openjdk version \\\\"${version}\\\\" >&2\\n' >"$FOLDER/java"; /bin/chmod +x "$FOLDER/java" ;;
   *" install "*) echo "E: Unable to locate package" >&2; exit 100 ;;
   esac`;

Deno.test("requireTool() takes what is there", async () => {
  assert.equal(await requireJava({ java: java("21.0.1"), "apt-get": "echo called >&2" }), "found\n");
});

Deno.test("requireTool() tells everybody but root what to type", async () => {
  const said = await requireJava({ "apt-get": "echo called >&2" }, 1000);
  assert.match(
    said,
    /^Cannot run java: it is not installed\n.*apt-get install openjdk-17-jre-headless maven, or brew/,
  );
  assert.doesNotMatch(said, /called/);
  const old = await requireJava({ java: java("11.0.2") }, 1000);
  assert.match(old, /java is openjdk version "11.0.2", expected 17 or newer\n.*Install Java 17 or newer/);
});

Deno.test("requireTool() installs on Debian as root, and takes the package that the release has", async () => {
  const first = await requireJava({ "apt-get": aptWith("openjdk-17-jre-headless", "17.0.15") });
  assert.match(first, /^Installing openjdk-17-jre-headless with apt-get, because java is missing\nfound\n$/);
  const second = await requireJava({
    java: java("11.0.2"),
    "apt-get": aptWith("default-jre-headless", "21"),
  });
  assert.match(second, /found\n$/);
});

Deno.test("requireTool() says what apt-get said when that did not help", async () => {
  const said = await requireJava({ "apt-get": aptWith("another", "17") });
  assert.match(said, /could not install it:\n\s*E: Unable to locate package\n.*Install Java 17 or newer/);
});
