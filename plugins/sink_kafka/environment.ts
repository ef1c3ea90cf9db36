/**
 * Takes the environment away from the libraries. Imported before all else.
 *
 * The Worker may not read the environment, but the Kafka library and its dependencies look into it while they load. They do so
 * through `process.env`, which is therefore an empty object here.
 *
 * @module
 */

Object.defineProperty(process, "env", { value: Object.create(null) });
