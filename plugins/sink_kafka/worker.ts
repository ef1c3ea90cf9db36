/**
 * The Kafka sink's Worker.
 *
 * @module
 */

// First of all: what the other imports load looks into the environment.
import "./environment.ts";
import { defineSink } from "@pg-tide/sdk";
import { MANIFEST } from "./manifest.ts";
import { findHosts, openSink } from "./sink.ts";

defineSink({
  ...MANIFEST,
  discover: (config) => findHosts(config),
  open: (config) => openSink(config),
});
