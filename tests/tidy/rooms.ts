/**
 * Who may import what: imports point downwards only.
 *
 * base < record < the stages, config < pg, host, observe < run < relay < cli. A stage knows its own port and never another stage
 * nor an adapter; an adapter knows the contract (`mod.ts`) that it implements; a plugin knows the SDK and itself.
 *
 * @module
 */

/** A part of the repository whose files may import the same. */
export interface Room {
  /** A folder with a `/` at its end, or a single file. */
  readonly place: string;
  /** Other folders and files that it may import. A folder's contract is its `mod.ts`. */
  readonly may: readonly string[];
  /** Modules whose URL it may name (`import.meta.resolve`) without loading them. */
  readonly urls?: readonly string[];
  /** Packages of deno.json that only it, and tests, may import. */
  readonly packages?: readonly string[];
  /** Node's modules that it may import, without `node:`. */
  readonly node?: readonly string[];
}

/** What third parties import; everybody but its own files calls it by this name. */
export const SDK = "@pg-tide/sdk";

const STAGE_NAMES = ["read", "transform", "route", "encode", "deliver", "ack"] as const;
const STAGES = STAGE_NAMES.map((name) => `src/${name}/`);
const CONTRACTS = STAGES.map((stage) => `${stage}mod.ts`);

const KAFKA = "plugins/sink_kafka/";
const KAFKA_CLOCK = `${KAFKA}clock.ts`;

/** The Kafka sink's floors, from the ground up. */
const KAFKA_ROOMS: readonly Room[] = [
  { place: `${KAFKA}config/`, may: [SDK], node: ["crypto"] },
  {
    place: `${KAFKA}record/`,
    may: [`${KAFKA}config/`, SDK],
    packages: ["@platformatic/wasm-utils"],
    node: ["buffer", "zlib"],
  },
  { place: `${KAFKA}fault/`, may: [`${KAFKA}config/`, SDK] },
  {
    place: `${KAFKA}authentication/`,
    may: [KAFKA_CLOCK, `${KAFKA}config/`, `${KAFKA}fault/`, SDK],
    node: ["crypto", "http", "https"],
  },
  {
    place: `${KAFKA}cluster/`,
    may: [KAFKA_CLOCK, `${KAFKA}config/`, `${KAFKA}fault/`, `${KAFKA}authentication/`, SDK],
    packages: ["@platformatic/kafka"],
    node: ["buffer"],
  },
  {
    place: `${KAFKA}produce/`,
    may: [KAFKA_CLOCK, `${KAFKA}config/`, `${KAFKA}record/`, `${KAFKA}fault/`, `${KAFKA}cluster/`, SDK],
  },
];

const PLUGINS: readonly Room[] = [
  { place: KAFKA, may: [SDK] },
  { place: "plugins/sink_stdout/", may: [SDK] },
  { place: "plugins/format_json/", may: [SDK] },
];

/** The first whose place holds a file is the file's room. */
export const ROOMS: readonly Room[] = [
  { place: "main.ts", may: ["src/cli/main.ts"] },
  { place: "src/base/", may: [] },
  { place: "src/record/", may: ["src/base/", SDK] },
  ...STAGES.map((place): Room => ({
    place,
    may: ["src/base/", "src/record/", SDK],
    ...(place === "src/transform/" && { packages: ["jmespath"] }),
  })),
  { place: "src/config/", may: ["src/base/", SDK] },
  {
    place: "src/pg/",
    // Adapters implement the ports of stages and of the run: they need their types, and nothing else of them.
    may: ["src/base/", "src/record/", ...CONTRACTS, "src/run/mod.ts", SDK],
    packages: ["postgres"],
    node: ["net", "tls"],
  },
  {
    place: "src/host/",
    may: ["src/base/", ...CONTRACTS, "src/run/mod.ts", SDK],
    packages: ["acorn"],
    node: ["crypto", "path", "url"],
  },
  { place: "src/observe/", may: ["src/base/"], packages: ["@logtape/logtape"] },
  // A session is made of the stages' parts, not of their contracts alone.
  { place: "src/run/", may: ["src/base/", "src/record/", "src/config/", ...STAGES, SDK] },
  {
    place: "src/relay.ts",
    may: [
      "src/base/",
      "src/record/",
      "src/config/",
      ...STAGES,
      "src/pg/",
      "src/host/mod.ts",
      "src/observe/",
      "src/run/",
      "plugins/registry.ts",
      SDK,
    ],
  },
  {
    place: "src/cli/",
    may: [
      "src/base/",
      "src/config/",
      "src/pg/",
      "src/host/mod.ts",
      "src/observe/",
      "src/relay.ts",
      "plugins/registry.ts",
      "deno.json",
      SDK,
    ],
    packages: ["commander"],
  },
  { place: "plugins/sdk/", may: [] },
  ...KAFKA_ROOMS,
  ...PLUGINS,
  {
    place: "plugins/registry.ts",
    may: ["plugins/sdk/mod.ts", ...PLUGINS.map(({ place }) => `${place}manifest.ts`)],
    // The last one is where external plugins start; it must be compiled in like the others.
    urls: [...PLUGINS.map(({ place }) => `${place}worker.ts`), "src/host/lockdown.ts"],
  },
  {
    place: "tests/",
    may: ["main.ts", "src/", "plugins/", "deno.json", SDK],
    packages: ["kafkajs", "fast-check"],
  },
];

/** Single imports that the table does not allow, with their reasons: `from → to`. */
export const DOORS: Readonly<Record<string, string>> = {
  "src/host/worker_host.ts → plugins/sdk/protocol.ts": "the host's side of the messages that serve() answers",
  "src/host/sink_host.ts → plugins/sdk/transfer.ts": "moves pages to a Worker as serve() moves them back",
  "src/host/format_host.ts → plugins/sdk/transfer.ts": "moves pages to a Worker as serve() moves them back",
  "src/cli/plugin.ts → plugins/sdk/conformance.ts": "`plugin test` is how third parties run the suite",
};
