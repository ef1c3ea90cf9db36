/**
 * The globals that an external plugin keeps: the language, and the parts of the web platform whose every use the Worker's
 * permissions check.
 *
 * It is a list of what stays, not of what goes, so that a global which a later runtime adds is gone until someone has
 * looked at it.
 *
 * @module
 */

const LANGUAGE = [
  "AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date",
  "DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array",
  "Int32Array Int8Array Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp",
  "Set SharedArrayBuffer String SuppressedError Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array",
  "Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly decodeURI decodeURIComponent encodeURI encodeURIComponent",
  "escape eval globalThis isFinite isNaN parseFloat parseInt undefined unescape",
];

const PLATFORM = [
  "AbortController AbortSignal Blob Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy Crypto",
  "CryptoKey CustomEvent DOMException DecompressionStream ErrorEvent Event EventSource EventTarget File FileReader FormData",
  "Headers MessageChannel MessageEvent MessagePort Performance PerformanceEntry PerformanceMark PerformanceMeasure",
  "PerformanceObserver PerformanceObserverEntryList ProgressEvent PromiseRejectionEvent QuotaExceededError",
  "ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream",
  "TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern URLSearchParams WebSocket",
  "WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa clearImmediate clearInterval",
  "clearTimeout crypto fetch global performance queueMicrotask reportError self setImmediate setInterval setTimeout",
  "structuredClone",
];

/** What the Worker's side of the protocol needs. */
const WORKER = ["onerror onmessage onunhandledrejection postMessage"];

/** Names of the globals that stay; `Deno`, `console` and `process` stay as inert stand-ins. */
export const KEPT_GLOBALS: ReadonlySet<string> = new Set(
  [...LANGUAGE, ...PLATFORM, ...WORKER].flatMap((line) => line.split(" ")),
);
