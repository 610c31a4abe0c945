/**
 * What comes from the client: frames, Operations, their intents; then through the gate to the target.
 *
 * Pipeline: understand → writeDecision → forward. A frame that names or runs a statement passes only
 * with a durable leaf; all else passes in order behind it. What the target has to say before the next
 * frame can be understood (a COPY that is about to begin) makes this side wait. Untrusted: every byte.
 */

import { giveBack } from '../../core/give-back.ts';
import { LIMITS } from '../../core/limits.ts';
import { SYNCS } from '../../protocols/postgres/answer-tables.ts';
import { violation } from '../../protocols/postgres/byte-reader.ts';
import { readFrontend } from '../../protocols/postgres/decode.ts';
import { FRAME, type FrameEvent, FRONTEND_FRAMES, FrameReader } from '../../protocols/postgres/frames.ts';
import {
  FRONTEND,
  type FrontendMessage,
  isSync,
  type MalformedMessage,
} from '../../protocols/postgres/messages.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { RequestKind } from '../../protocols/postgres/states.ts';
import { Batch, type Understood } from './batch.ts';
import type { ClientSideEvents, ConductorPort } from './client-side-ports.ts';
import { CLIENT_LEFT, COPY_REFUSED, copyFromClient, FLUSH } from './copy-fail.ts';
import type { Gate } from './gate.ts';
import type { Intents } from './intents.ts';
import type { LargeMessage, OpenLargeMessage, SpooledMessage } from './large-message.ts';
import { failingMessage } from './refusal.ts';
import type { Request } from './request.ts';

/** Behind it no Execute of before is open. */
const SIMPLE: ReadonlySet<RequestKind> = new Set(['Query', 'FunctionCall', 'Sync', 'MalformedSync']);
const PIPELINE_ENDS: ReadonlySet<number> = new Set([FRONTEND.Sync, FRONTEND.Flush]);
/** As SIMPLE, of messages that may be large. */
const LARGE_SIMPLE: ReadonlySet<number> = new Set([FRONTEND.Query, FRONTEND.FunctionCall]);
const COPY_TYPES: ReadonlySet<number> = new Set([FRONTEND.CopyData, FRONTEND.CopyDone, FRONTEND.CopyFail]);

/** Reads one client; owned by one session. */
export class ClientSide {
  readonly #reader = new FrameReader(FRONTEND_FRAMES);
  readonly #responses: ResponseQueue<Request>;
  readonly #intents: Intents;
  readonly #gate: Gate;
  readonly #events: ClientSideEvents;
  readonly #openLarge: OpenLargeMessage;
  readonly #unlike: Set<Request>;
  readonly #conductor: ConductorPort;
  #chunks: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  /** Whether the chunk in the reader goes to the target, or views of it may be kept by what was understood. */
  #use: 'none' | 'forwarded' | 'viewed' = 'none';
  #batch = new Batch();
  /** An event of the reader that has to wait for the target. */
  #stalledOn: FrameEvent | undefined;
  #copyDiscarded = false;
  /** Requests that were on their way when a Flush of ours was last put behind them. */
  #askedFor = -1;
  #large: LargeMessage | undefined;
  #busy = false;
  /** One statement has the target for itself. */
  #conducts = false;
  #waits = false;
  /** Executes since the last Sync. */
  #executes = 0;
  /** Bytes in #chunks. */
  #chunkBytes = 0;
  /** Wakes a large message that waits for the target's answers. */
  #answered: (() => void) | undefined;
  #over = false;
  #left = false;
  /** The leaves of what was read already have to be written before more is understood. */
  #heldUp = false;
  #running = false;

  constructor(
    responses: ResponseQueue<Request>,
    intents: Intents,
    gate: Gate,
    openLarge: OpenLargeMessage,
    unlike: Set<Request>,
    conductor: ConductorPort,
    events: ClientSideEvents,
  ) {
    this.#responses = responses;
    this.#intents = intents;
    this.#gate = gate;
    this.#openLarge = openLarge;
    this.#unlike = unlike;
    this.#conductor = conductor;
    this.#events = events;
  }

  /** The client should not be read further. */
  get stalled(): boolean {
    if (this.#waits) return this.#chunkBytes > LIMITS.policy.waitingClientBytesMax;
    return this.#stalledOn !== undefined || this.#busy || this.#gate.full;
  }

  /** All that came was understood and is at the gate, or behind a goodbye. */
  get idle(): boolean {
    if (this.#over) return true;
    return !this.#busy && !this.#heldUp && this.#stalledOn === undefined && this.#chunks.length === 0;
  }

  /** Takes a chunk, which is this side's from now on. */
  push(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    this.resume();
  }

  /** The session has ended: what lies in the spool is given up. */
  close(): void {
    this.#over = true;
    this.#chunks = [];
    this.#answered?.();
    this.#large?.discard().catch(() => undefined);
    this.#large = undefined;
  }

  /** Goes on where it waited; called when the target has answered, and when the gate has drained. */
  resume(): void {
    this.#answered?.();
    this.#answered = undefined;
    // The gate may drain while this side lets something pass.
    if (this.#busy || this.#running || (this.#heldUp && this.#gate.full)) return;
    this.#running = true;
    this.#heldUp = false;
    try {
      this.#run();
    } catch (error) {
      this.#over = true;
      this.#events.failed(error);
    } finally {
      this.#running = false;
    }
  }

  #run(): void {
    while (!this.#over && !this.#busy && !this.#mustHoldUp()) {
      const event = this.#stalledOn ?? this.#next();
      this.#stalledOn = undefined;
      if (event === 'broken' || event === FRAME.needMore) break;
      if (!this.#take(event)) {
        this.#stalledOn = event;
        break;
      }
    }
    this.#letPass();
    if (this.#left && this.#conducts && this.#responses.inCopyIn && this.#chunks.length === 0)
      this.#failCopy();
  }

  /** A message of ten bytes can have a leaf of many thousands; what one turn makes of them is bounded. */
  #mustHoldUp(): boolean {
    if (this.#batch.bodyBytes <= LIMITS.postgres.waitingBodyBytesMax) return false;
    this.#letPass();
    this.#heldUp = this.#gate.full;
    return this.#heldUp;
  }

  #next(): FrameEvent | 'broken' {
    for (;;) {
      let event: FrameEvent;
      try {
        event = this.#reader.next();
      } catch (error) {
        this.#break(error);
        return 'broken';
      }
      if (event !== FRAME.needMore) return event;
      const chunk = this.#chunks.shift();
      if (chunk === undefined) return FRAME.needMore;
      this.#chunkBytes -= chunk.length;
      this.#reader.push(chunk);
      if (this.#use === 'none') giveBack(this.#chunk);
      if (this.#use === 'forwarded') this.#batch.spend(this.#chunk);
      this.#chunk = chunk;
      this.#use = 'none';
    }
  }

  /**
   * The client's bytes are no frames from here on. PostgreSQL says so, or closes, when it has read the
   * type or the length that is wrong, and has answered what came before; so it is given just that.
   */
  #break(error: unknown): void {
    this.#over = true;
    this.#chunks = [];
    const header = this.#reader.refusedHeader;
    this.#batch.add(header, 0, header.length);
    this.#letPass();
    this.#events.broken(error);
  }

  /** False: the target has to answer first. */
  #take(event: FrameEvent): boolean {
    const { type } = this.#reader;
    if (this.#large !== undefined) return this.#takeLarge(this.#large);
    if (COPY_TYPES.has(type)) return this.#takeCopy(event);
    if (this.#conducts) return this.#readsOver(type);
    if (type === FRONTEND.Terminate) {
      this.#over = true;
      this.#keep();
      this.#letPass();
      this.#events.terminated();
      return true;
    }
    if (this.#mustWait(type)) return false;
    if (event === FRAME.begins) {
      this.#beginLarge();
      return true;
    }
    return this.#handle(readFrontend(type, this.#reader.body()));
  }

  /** False: what a name stands for depends on answers that are not there yet. */
  #handle(message: FrontendMessage | MalformedMessage): boolean {
    if (this.#settles(message)) return false;
    let understood = this.#intents.understand(message);
    if (understood === 'wait') {
      if (this.#conductor.mustAsk) void this.#alone(() => this.#conductor.ask());
      if (!this.#responses.inCopyIn) return false;
      // The target waits for COPY data, and will end the session when it reads this instead.
      this.#intents.stopRemembering();
      understood = this.#intents.understand(message);
    }
    if (understood === 'wait') return false;
    if (understood === undefined) throw violation(`unexpected ${message.kind} from the client`);
    const { kind, request, copyIn } = understood;
    if (this.#goesAlone(understood)) return true;
    // Else the target's error could not be told from the rest of a frame that the client has half of.
    if (!this.#mayRefuse(understood)) return false;
    if (kind === 'Execute') this.#executes += 1;
    this.#use = 'viewed';
    if (this.#responses.push(kind, request, copyIn) === 'forward') {
      if (SYNCS.has(kind)) this.#intents.synced();
      if (SIMPLE.has(kind)) this.#executes = 0;
      if (request.refusal === undefined) this.#keep();
      else this.#refuse(understood);
      this.#batch.admit(understood);
    }
    return true;
  }

  /** While one statement is conducted, what follows waits. In copy-in mode the target reads over these two. */
  #readsOver(type: number): boolean {
    if (!this.#responses.inCopyIn) return false;
    if (PIPELINE_ENDS.has(type)) return true;
    this.#failCopy();
    return false;
  }

  /** Nothing of its data will come any more: the target would wait for ever. */
  #failCopy(failing = CLIENT_LEFT): void {
    this.#letPass();
    this.#responses.copy(FRONTEND.CopyFail);
    this.#gate.pass({ bytes: [failing], bodyBytes: 0 });
  }

  /** The client sends nothing more. */
  left(): void {
    this.#left = true;
    if (!this.#busy) this.resume();
  }

  /** Whether it goes another way: its rows are counted, or people are asked. */
  #goesAlone(understood: Understood): boolean {
    const act = this.#conductor.alone(understood, this.#executes === 0);
    if (act === undefined) return false;
    const { bytes, start, end } = this.#reader;
    const message = bytes.slice(start, end);
    this.#use = 'viewed';
    void this.#alone(async () => {
      await act(message);
      if (understood.kind === 'Execute') this.#executes += 1;
      if (SIMPLE.has(understood.kind)) this.#executes = 0;
    });
    return true;
  }

  /** Whether it has to wait for the count of what it keeps, which has begun. */
  #settles(message: FrontendMessage | MalformedMessage): boolean {
    const endsPipeline = isSync(message);
    if (!endsPipeline && message.kind !== 'Query' && message.kind !== 'FunctionCall') return false;
    const end = !endsPipeline ? 'other' : message.kind === 'Sync' ? 'Sync' : 'malformed';
    if (!this.#conductor.mustSettle(end)) return false;
    void this.#alone(() => this.#conductor.settle(end));
    return true;
  }

  /** Does something while nothing else of the client is on its way. */
  async #alone(act: () => Promise<void>): Promise<void> {
    this.#conducts = true;
    this.#busy = true;
    this.#letPass();
    try {
      await this.#quiet();
      if (this.#over) return;
      await act();
    } catch (error) {
      this.#over = true;
      this.#events.failed(error);
      return;
    } finally {
      this.#conducts = false;
      this.#busy = false;
    }
    this.resume();
    this.#events.drained();
  }

  /** Everything that was sent is answered, to its end. */
  async #quiet(): Promise<void> {
    if (this.#responses.mayBeUnflushed) this.#gate.pass({ bytes: [FLUSH], bodyBytes: 0 });
    while (!this.#over && (this.#responses.length > 0 || !this.#events.targetIsBetweenFrames())) {
      await this.#answer();
    }
  }

  /** COPY data of the statement that is conducted may be read. */
  copying(): void {
    this.#busy = false;
    this.resume();
    this.#events.drained();
  }

  /** People are asked, or no longer: the client is read meanwhile, so that its leaving is heard. */
  waiting(waits: boolean): void {
    this.#waits = waits;
    this.#events.drained();
  }

  /** What fails goes to the target in the place of what was refused. */
  #refuse({ kind, request }: Understood): void {
    const bytes = failingMessage(kind);
    this.#batch.add(bytes, 0, bytes.length);
    this.#unlike.add(request);
  }

  #takeCopy(event: FrameEvent): boolean {
    if (event !== FRAME.piece) {
      const advice = this.#responses.copy(this.#reader.type);
      if (advice === 'wait') {
        this.#askForAnswers();
        return false;
      }
      // PostgreSQL ignores COPY data outside of a COPY, and answers nothing to it.
      this.#copyDiscarded = advice !== 'forward';
    }
    if (this.#copyDiscarded) return true;
    const advice = copyFromClient(this.#responses.head?.operation, event, this.#reader);
    if (advice !== 'fail') this.#keep();
    if (advice !== 'keep') this.#failCopy(COPY_REFUSED);
    // The Sync behind it waits for the answer; the Flush behind its Execute was read over.
    else if (this.#conducts && this.#responses.mayBeUnflushed && this.#reader.type === FRONTEND.CopyDone)
      this.#batch.add(FLUSH, 0, FLUSH.length);
    return true;
  }

  /** Asks the target where only it can tell what it would do with a message. */
  #mustWait(type: number): boolean {
    const responses = this.#responses;
    const asks = responses.isAskedFor(type, this.#reader.length);
    if (asks && responses.mustFlush) {
      if (this.#askedFor !== responses.pushedCount) this.#batch.add(FLUSH, 0, FLUSH.length);
      this.#askedFor = responses.pushedCount;
      return true;
    }
    if (asks && responses.mustProbe) {
      // Else its answers could not be told from the rest of a frame that the client has half of.
      if (!this.#events.targetIsBetweenFrames()) return true;
      const { bytes } = responses.beginProbe(type);
      this.#batch.add(bytes, 0, bytes.length);
    }
    return responses.mustWait;
  }

  /** What waits for an answer must get one, and the Sync that makes the target send it stands behind this. */
  #askForAnswers(): void {
    if (this.#askedFor === this.#responses.pushedCount || !this.#responses.mayBeUnflushed) return;
    this.#askedFor = this.#responses.pushedCount;
    this.#batch.add(FLUSH, 0, FLUSH.length);
  }

  /** Keeps the bytes of the current event for forwarding. */
  #keep(): void {
    const { bytes, start, end, inChunk } = this.#reader;
    if (inChunk) {
      this.#batch.add(bytes, start, end);
      if (this.#use === 'none') this.#use = 'forwarded';
    } else this.#batch.add(bytes.slice(start, end), 0, end - start);
  }

  /** Everything that was understood so far goes to the gate, with the leaves that it needs. */
  #letPass(): void {
    const batch = this.#batch;
    if (batch.empty) return;
    this.#batch = new Batch();
    const { spent, bodyBytes } = batch;
    const written = spent.length === 0 ? undefined : (): void => spent.forEach(giveBack);
    this.#gate.pass({ bytes: batch.bytes(), bodyBytes, written }, this.#intents.write(batch), () =>
      this.#intents.forwarded(batch),
    );
  }

  #beginLarge(): void {
    this.#letPass();
    const { type, length, bytes, start, end } = this.#reader;
    this.#large = this.#openLarge(type, length, bytes.slice(start, end));
  }

  /**
   * A piece of a message that is too large to be held goes to the spool; the client waits for the disk,
   * and the reader with it, in whose chunk the piece lies.
   */
  #takeLarge(large: LargeMessage): boolean {
    const { last } = this.#reader;
    this.#busy = true;
    void this.#spool(large, this.#reader.body(), last);
    return true;
  }

  async #spool(large: LargeMessage, piece: Uint8Array, last: boolean): Promise<void> {
    try {
      await large.write(piece);
      if (last) await this.#endLarge(large);
      this.#busy = false;
    } catch (error) {
      this.#over = true;
      this.#events.failed(error);
      return;
    }
    this.resume();
    if (!this.stalled) this.#events.drained();
  }

  async #endLarge(large: LargeMessage): Promise<void> {
    const spooled = await large.finish();
    this.#large = undefined;
    try {
      await this.#passLarge(spooled);
    } catch (error) {
      await spooled.discard();
      throw error;
    }
  }

  async #passLarge(spooled: SpooledMessage): Promise<void> {
    if (LARGE_SIMPLE.has(spooled.type) && this.#conductor.mustSettle('other')) {
      await this.#quiet();
      await this.#conductor.settle('other');
    }
    let understood = this.#intents.understandLarge(spooled);
    while (understood === 'wait' || this.#mustWait(spooled.type) || !this.#mayRefuse(understood)) {
      this.#letPass();
      if (understood === 'wait' && this.#responses.inCopyIn) this.#intents.stopRemembering();
      else if (understood === 'wait' && this.#conductor.mustAsk)
        await this.#quiet().then(() => (this.#over ? undefined : this.#conductor.ask()));
      else await this.#answer();
      if (this.#over) throw violation('the session ended');
      if (understood === 'wait') understood = this.#intents.understandLarge(spooled);
    }
    const bind = this.#conductor.watched(understood);
    if (!this.#over && bind !== undefined && !this.#responses.inCopyIn) {
      await this.#quiet();
      return this.#conductor.bind(bind, { bytes: [], bodyBytes: 0, spooled });
    }
    const { kind, request, copyIn } = understood;
    if (this.#over || this.#responses.push(kind, request, copyIn) !== 'forward') {
      await spooled.discard();
      return;
    }
    if (request.refusal !== undefined) {
      await spooled.discard();
      this.#refuse(understood);
      this.#batch.admit(understood);
      return;
    }
    const batch = this.#batch;
    this.#batch = new Batch();
    batch.admit(understood);
    const forwarded = (): void => this.#intents.forwarded(batch);
    const cargo = { bytes: [], bodyBytes: batch.bodyBytes, spooled };
    this.#gate.pass(cargo, this.#intents.write(batch), forwarded);
  }

  #mayRefuse({ request }: Understood): boolean {
    return request.refusal === undefined || this.#events.targetIsBetweenFrames();
  }

  /** The target has answered something. */
  #answer(): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }
}
