/**
 * How an external plugin's `import … from "@pg-tide/sdk"` finds the SDK.
 *
 * A plugin is loaded as a `data:` module, which no import map covers, and a compiled program cannot transpile the SDK's
 * TypeScript into another. But the Worker's first module has the SDK in its own graph, compiled in. So it leaves the
 * SDK under a global name, and the plugin's specifier is replaced by a `data:` module that exports what stands there.
 * Its list of names is made from the SDK itself, so it is never out of date.
 *
 * @module
 */

/** The global under which the lockdown leaves the SDK. */
export const SDK_GLOBAL = "@pg-tide/sdk";

/** The specifier that plugins write. */
export const SDK_SPECIFIER = "@pg-tide/sdk";

/** A module, as a `data:` URL, that exports these names of the SDK. */
export function sdkShim(names: readonly string[]): string {
  return dataModule(
    `export const { ${names.join(", ")} } = globalThis[${JSON.stringify(SDK_GLOBAL)}];\n`,
  );
}

/** A JavaScript text as a module that can be imported. */
export function dataModule(source: string): string {
  return `data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`;
}
