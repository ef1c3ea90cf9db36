/**
 * The Worker's side of the protocol: says hello, then answers the kernel's requests from a definition.
 *
 * @module
 */

import { faulted, unavailable } from "./answer.ts";
import type { Answer, EncodedPage, Fault, PluginDescription, RecordPage } from "./contract.ts";
import type { FormatDefinition, OpenFormat, OpenSink, Progress, SinkDefinition } from "./definition.ts";
import { ProgressPost } from "./progress_post.ts";
import type { HostMessage, PluginMessage } from "./protocol.ts";
import { transferables } from "./transfer.ts";

/** What is served. */
export type Served =
  | { readonly kind: "sink"; readonly definition: SinkDefinition }
  | { readonly kind: "format"; readonly definition: FormatDefinition };

/** The Worker's end of the line. */
interface Port {
  postMessage(message: PluginMessage, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<HostMessage>) => void) | null;
}

/** Serve `served` in this Worker; used through `defineSink` and `defineFormat`. */
export function serve(description: PluginDescription, served: Served): void {
  const port = globalThis as unknown as Port;
  const server = new Server(served, new ProgressPost((message) => port.postMessage(message)));
  port.onmessage = async ({ data }) => {
    const reply = await server.handle(data);
    // What cannot cross the border, such as a function in an answer, ends the Worker: the kernel then knows that nothing more
    // of this generation is delivered.
    port.postMessage(reply, reply.t === "encoded" ? transferables(reply.encoded) : []);
  };
  port.postMessage({ t: "hello", description });
}

class Server {
  readonly #served: Served;
  readonly #progress: ProgressPost;
  #sink: OpenSink | undefined;
  #format: OpenFormat | undefined;
  /** The newest generation that ended, and why: later pages of it are refused. */
  #ended: { readonly generation: number; readonly fault: Fault } | undefined;

  constructor(served: Served, progress: ProgressPost) {
    this.#served = served;
    this.#progress = progress;
  }

  async handle(message: HostMessage): Promise<PluginMessage> {
    try {
      return await this.#dispatch(message);
    } catch (error) {
      return { t: "fault", n: message.n, fault: faultOf(error) };
    }
  }

  async #dispatch(message: HostMessage): Promise<PluginMessage> {
    const { n } = message;
    switch (message.t) {
      case "ping":
        return { t: "pong", n };
      case "discover": {
        const discover = this.#served.kind === "sink" ? this.#served.definition.discover : undefined;
        return {
          t: "discovered",
          n,
          hosts: await discover?.call(this.#served.definition, message.config) ?? [],
        };
      }
      case "open":
        return { t: "opened", n, opened: await this.#open(message.config) };
      case "reconfigure":
        if (this.#sink?.reconfigure === undefined) {
          throw new TypeError("Cannot reconfigure: the plugin does not offer it");
        }
        await this.#sink.reconfigure(message.config);
        return { t: "reconfigured", n };
      case "deliver":
        return { t: "answer", n, answer: await this.#deliver(n, message.page, message.generation) };
      case "encode":
        return { t: "encoded", n, encoded: await this.#encode(message.page) };
      case "close":
        await (this.#sink?.close() ?? this.#format?.close?.());
        return { t: "closed", n };
    }
  }

  async #open(config: Parameters<SinkDefinition["open"]>[0]) {
    if (this.#served.kind === "format") {
      this.#format = await this.#served.definition.open(config);
      return {};
    }
    this.#sink = await this.#served.definition.open(config);
    return this.#sink.opened ?? {};
  }

  async #deliver(n: number, page: RecordPage, generation: number): Promise<Answer> {
    if (this.#sink === undefined) throw new TypeError("Cannot deliver: the sink is not open");
    if (this.#ended !== undefined && generation <= this.#ended.generation) return faulted(this.#ended.fault);
    const answer = await answerOf(this.#sink, page, generation, (count) => this.#progress.tell(n, count));
    this.#progress.end(n);
    if (answer.fault !== undefined || answer.failed.length > 0) this.#end(generation, answer);
    return answer;
  }

  #end(generation: number, answer: Answer): void {
    if (this.#ended !== undefined && this.#ended.generation >= generation) return;
    const fault = answer.fault ??
      unavailable("GENERATION_ENDED", "An earlier record failed and is tried again first");
    this.#ended = { generation, fault };
  }

  async #encode(page: Parameters<OpenFormat["encode"]>[0]): Promise<EncodedPage> {
    if (this.#format === undefined) throw new TypeError("Cannot encode: the format is not open");
    return await this.#format.encode(page);
  }
}

/** The sink's answer; what it throws, at once or later, is a fault of the whole page. */
async function answerOf(
  sink: OpenSink,
  page: RecordPage,
  generation: number,
  progress: Progress,
): Promise<Answer> {
  try {
    const answer = await sink.deliver(page, generation, progress);
    if (!Array.isArray(answer?.failed)) throw new TypeError("deliver() did not give an answer");
    return answer;
  } catch (error) {
    return faulted(faultOf(error));
  }
}

/** The fault that a thrown value stands for. Told apart by shape: the class may come from another copy of the SDK. */
function faultOf(error: unknown): Fault {
  const fault = (error as { fault?: Fault } | null)?.fault;
  if (typeof fault === "object" && fault !== null && typeof fault.kind === "string") return fault;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return unavailable("PLUGIN_ERROR", `The plugin threw ${text}`);
}
