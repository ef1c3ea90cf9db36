/**
 * One client's connection through a {@link FaultProxy}: requests go to the broker one after the other, answers come back in
 * order, and to each is done what was decided.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { coordinatorCode, type Decision, type FaultKind } from "./fault_schedule.ts";
import { correlationIdOf, FrameSplitter, readHead, type RequestHead } from "./kafka_wire.ts";
import { INIT_PRODUCER_ID_KEY, refuseProducerId } from "./metadata_wire.ts";
import { Pauses } from "./pauses.ts";
import {
  changeAnswer,
  deal,
  type Dealt,
  nameOf,
  ownAnswer,
  type ProduceFaultPorts,
} from "./produce_faults.ts";
import { PRODUCE_KEY, readProduce, writeProduce } from "./produce_wire.ts";

/** What a link needs to know. */
export interface LinkPorts extends ProduceFaultPorts {
  /** What is done to this link's next request. */
  readonly decide: (head: RequestHead) => Decision;
  /** What the client gets instead of a broker's answer to anything but Produce. */
  readonly rewrite: (answer: Buffer, head: RequestHead, decision: Decision) => Buffer;
  /** The link itself is at a loss: a defect of the test. */
  readonly onError: (error: unknown) => void;
}

/** How late a request may be whose connection was lost, in milliseconds. */
const LATE_MS = 600;
/** The pause between the pieces of a frame. */
const DRIBBLE_MS = 3;
const PIECES = 5;

/** A request that the client waits for. */
interface Expected extends Dealt {
  /** What the client gets, once it is known. */
  answer?: Buffer;
}

/** A connection through the proxy. */
export class FaultLink {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #ports: LinkPorts;
  readonly #requests = new FrameSplitter();
  readonly #answers = new FrameSplitter();
  readonly #expected: Expected[] = [];
  readonly #pauses = new Pauses();
  /** The ways to the broker and back: one frame after the other. */
  #there: Promise<void> = Promise.resolve();
  #back: Promise<void> = Promise.resolve();
  /** Whether nothing goes to the broker, and to the client, any more. */
  #deaf = false;
  #dumb = false;
  #cut = false;

  constructor(client: Socket, server: Socket, ports: LinkPorts) {
    this.#client = client;
    this.#server = server;
    this.#ports = ports;
    client.on("data", (bytes) => this.#receive(bytes));
    server.on("data", (bytes) => this.#return(bytes));
    for (const socket of [client, server]) socket.on("error", () => {});
    // What the client has sent still arrives, and what was decided to arrive late arrives late.
    client.on("close", () => this.#there.then(() => this.#cut || server.end()));
    server.on("end", () => this.#dumb || client.end());
    server.on("close", () => this.#dumb || client.destroy());
  }

  /** End it at once. */
  destroy(): void {
    this.#pauses.end();
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  /** Pass nothing on any more, in either direction. */
  silence(): void {
    this.#deaf = this.#dumb = true;
  }

  /** Resolves when nothing of it is under way any more. */
  async settled(): Promise<void> {
    await this.#there;
    await this.#back;
  }

  #receive(bytes: Buffer): void {
    this.#attempt(() => {
      for (const frame of this.#requests.push(bytes)) {
        this.#there = this.#there.then(() => this.#forward(frame)).catch((error) => this.#fail(error));
      }
    });
  }

  #return(bytes: Buffer): void {
    this.#attempt(() => {
      for (const frame of this.#answers.push(bytes)) this.#take(frame);
    });
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#ports.onError(error);
    this.destroy();
  }

  /** Do to a request what is decided. */
  async #forward(frame: Buffer): Promise<void> {
    if (this.#cut || this.#deaf) return;
    const head = readHead(frame);
    const decision = this.#ports.decide(head);
    await this.#pauses.pause(decision.holdMs);
    if (this.#cut || this.#deaf) return;
    if (head.apiKey !== PRODUCE_KEY) {
      return await this.#pass(frame, { head, decision, refused: [], given: [] });
    }
    const request = readProduce(frame);
    const dealt = deal(request, decision, this.#ports);
    const { given, refused } = dealt;
    const rest = refused.length === 0 ? frame : writeProduce({ ...request, batches: given });
    await this.#pass(rest, dealt, request.acks);
  }

  /** Pass a request on, or not. @param acks of a Produce request: with 0 nobody answers */
  async #pass(frame: Buffer, dealt: Dealt, acks = -1): Promise<void> {
    const { decision: { chance, kind }, given, head, refused } = dealt;
    if (kind === "cut before") return this.#reset(dealt);
    if (kind === "hang") {
      this.#note(dealt);
      return this.silence();
    }
    for (const batch of given) this.#ports.ledger.give(batch);
    if (kind === "cut within") {
      this.#server.write(frame.subarray(0, Math.ceil(frame.length / 2)));
      return this.#reset(dealt);
    }
    if (kind === "late") {
      this.#reset(dealt);
      await this.#pauses.pause(LATE_MS * chance() ** 2);
      return void this.#server.end(frame);
    }
    // A broker says nothing to a client that does not want to hear: it hangs up on one that has made a mistake.
    if (acks === 0) return void (refused.length === 0 ? this.#server.write(frame) : this.#client.end());
    const expected: Expected = { ...dealt };
    this.#expected.push(expected);
    if (head.apiKey === PRODUCE_KEY && given.length === 0) {
      expected.answer = ownAnswer(dealt);
      return this.#flush();
    }
    if (kind === "dribble") this.#note(dealt);
    await this.#write(this.#server, frame, kind);
  }

  /** The broker has answered. */
  #take(frame: Buffer): void {
    const expected = this.#expected.find((one) => one.answer === undefined);
    const correlationId = correlationIdOf(frame);
    if (expected?.head.correlationId !== correlationId) {
      if (this.#cut) return;
      throw new Error(`Cannot match an answer: it has the number ${correlationId}`);
    }
    expected.answer = expected.head.apiKey === PRODUCE_KEY
      ? changeAnswer(frame, expected, this.#ports)
      : this.#rewrite(frame, expected);
    this.#flush();
  }

  #rewrite(frame: Buffer, dealt: Expected): Buffer {
    const { decision, head } = dealt;
    if (head.apiKey !== INIT_PRODUCER_ID_KEY || decision.kind !== "refuse") {
      return this.#ports.rewrite(frame, head, decision);
    }
    this.#note(dealt);
    return refuseProducerId(frame, decision.code ?? coordinatorCode(decision.chance));
  }

  /** Give the client the answers that it can be given, in the order of its requests. */
  #flush(): void {
    while (this.#expected[0]?.answer !== undefined) {
      const expected = this.#expected.shift()!;
      this.#back = this.#back.then(() => this.#answer(expected)).catch((error) => this.#fail(error));
    }
  }

  async #answer(expected: Expected): Promise<void> {
    const { decision: { holdAnswerMs, kind, until } } = expected;
    const answer = expected.answer!;
    await this.#pauses.pause(holdAnswerMs);
    await until;
    if (this.#cut || this.#dumb) return;
    if (kind === "cut after") return this.#reset(expected);
    if (kind === "cut answer") {
      this.#client.write(answer.subarray(0, Math.floor(answer.length / 2)));
      return this.#reset(expected);
    }
    if (kind === "swallow") {
      this.#note(expected);
      this.#dumb = true;
      return;
    }
    await this.#write(this.#client, answer, kind);
  }

  async #write(socket: Socket, frame: Buffer, kind: FaultKind | null): Promise<void> {
    if (kind !== "dribble") return void socket.write(frame);
    const step = Math.ceil(frame.length / PIECES);
    for (let at = 0; at < frame.length && !this.#cut; at += step) {
      socket.write(frame.subarray(at, at + step));
      await this.#pauses.pause(DRIBBLE_MS);
    }
  }

  /** Reset the client's side. The broker still reads what it was sent, and its answers go nowhere. */
  #reset(dealt: Dealt): void {
    this.#note(dealt);
    this.#cut = true;
    this.#client.resetAndDestroy();
    if (dealt.decision.kind !== "late") this.#server.end();
  }

  #note({ decision: { kind }, given, head }: Dealt): void {
    if (kind !== null) this.#ports.note(kind, head, given.map(nameOf).join(", "));
  }
}
