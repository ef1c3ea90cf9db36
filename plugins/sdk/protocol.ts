/**
 * The messages between the kernel and a plugin's Worker. Plugin authors do not see these: `serveSink` and
 * `serveFormat` speak them.
 *
 * The Worker speaks first, with `hello`. Every request carries a number and gets exactly one reply with the same
 * number; requests are handled concurrently but `deliver` and `encode` are started in the order they were sent. A `deliver` may get
 * any number of `progress` before its `answer`: how many of its first records are delivered, never falling.
 *
 * (The Worker of an external plugin is told by a `load` what to run before that, and says `failed` when it cannot, or when
 * the plugin ends: that is between the kernel and the Worker's own first module.)
 *
 * @module
 */

import type {
  Answer,
  EncodedPage,
  Fault,
  MessagePage,
  Opened,
  PluginConfig,
  PluginDescription,
  RecordPage,
} from "./contract.ts";

/** What the kernel sends. */
export type HostMessage =
  | { readonly t: "discover"; readonly n: number; readonly config: PluginConfig }
  | { readonly t: "open"; readonly n: number; readonly config: PluginConfig }
  | { readonly t: "reconfigure"; readonly n: number; readonly config: PluginConfig }
  | { readonly t: "deliver"; readonly n: number; readonly generation: number; readonly page: RecordPage }
  | { readonly t: "encode"; readonly n: number; readonly page: MessagePage }
  | { readonly t: "ping"; readonly n: number }
  | { readonly t: "close"; readonly n: number };

/** What a plugin's Worker sends. */
export type PluginMessage =
  | { readonly t: "hello"; readonly description: PluginDescription }
  | { readonly t: "discovered"; readonly n: number; readonly hosts: readonly string[] }
  | { readonly t: "opened"; readonly n: number; readonly opened: Opened }
  | { readonly t: "reconfigured"; readonly n: number }
  | { readonly t: "progress"; readonly n: number; readonly delivered: number }
  | { readonly t: "answer"; readonly n: number; readonly answer: Answer }
  | { readonly t: "encoded"; readonly n: number; readonly encoded: EncodedPage }
  | { readonly t: "fault"; readonly n: number; readonly fault: Fault }
  | { readonly t: "pong"; readonly n: number }
  | { readonly t: "closed"; readonly n: number }
  | { readonly t: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly text: string };
