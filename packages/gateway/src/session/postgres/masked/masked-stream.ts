/**
 * What a target sends, with its trees taken out and its values masked, before anything else looks at it.
 *
 * Spec: spec/masking.md, "By origin". Stands between the socket and the target side, so that digests, recordings
 * and the client all get what is delivered. Answers to what the gateway itself has asked go by as they came:
 * the client gets none of them. Untrusted: every byte.
 */

import type { StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import { MASKED_SESSION_LIMITS } from '../../../core/masking-limits.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { BACKEND_FRAMES, FRAME, type FrameEvent, FrameReader } from '../../../protocols/postgres/frames.ts';
import { BACKEND } from '../../../protocols/postgres/messages.ts';
import type { PreparedStatement } from '../../../protocols/postgres/operation.ts';
import type { ResponseQueue } from '../../../protocols/postgres/response-queue.ts';
import { classifyNotice } from '../../../sql/server-tree/notice.ts';
import type { Request } from '../request.ts';
import type { RunningOperation } from '../running-operation.ts';
import type { CopiedIn } from './copied-in.ts';
import type { KnownTree, KnownTrees } from './known-trees.ts';
import type { MaskedMessages } from './masked-messages.ts';
import { OperationMasking } from './operation-masking.ts';
import type { MaskedResult, MaskedResults } from './masked-results.ts';
import { PassedBytes } from './passed-bytes.ts';
import { forgetBy, learnFrom, type Learned, type ResultOf, statementOf, treesOf } from './result-origins.ts';

/** Rows whole, however long: a part of a value cannot be masked. */
const FRAMES = { ...BACKEND_FRAMES, except: [], heldBytesMax: MASKED_SESSION_LIMITS.rowBytesMax };

/** ReadyForQuery's status byte `I`. */
const IDLE = 0x49;
/** Of a result: the client gets them masked. */
const ROWS: ReadonlySet<number> = new Set([BACKEND.DataRow, BACKEND.CopyData]);
const ASYNCHRONOUS: ReadonlySet<number> = new Set([
  BACKEND.NoticeResponse,
  BACKEND.NotificationResponse,
  BACKEND.ParameterStatus,
]);

export interface MaskedStreamPorts {
  readonly responses: ResponseQueue<Request>;
  readonly trees: KnownTrees;
  readonly learned: Learned;
  readonly results: MaskedResults;
  readonly messages: MaskedMessages;
  /** What is for the target side, between two frames; gives what is for the client. */
  readonly pass: (bytes: Uint8Array) => readonly Uint8Array[];
  /** Looks through what a client copies in; undefined where nothing has to. */
  readonly copiedIn: (statement: StatementFacts | undefined, formatCode: number) => CopiedIn | undefined;
  /** The server no longer says what it should: it has to be asked for its trees again. */
  readonly treeless: () => void;
}

/** Owned by one session. */
export class MaskedStream {
  readonly #reader = new FrameReader(FRAMES);
  readonly #ports: MaskedStreamPorts;
  /** Of the statement that runs. */
  #trees: KnownTree[] = [];
  #treeBytes = 0;
  /** Which statement of a Query runs, and of which one. */
  #at = 0;
  #running: RunningOperation | undefined;
  /** The result whose rows come. */
  #result: MaskedResult | 'own' | undefined;
  /** Frames that have not been passed on, and the memory for them. */
  readonly #passed = new PassedBytes();
  #out: Uint8Array[] = [];
  /** A frame that is passed in pieces, because nothing of it is masked. */
  #inPieces = false;

  constructor(ports: MaskedStreamPorts) {
    this.#ports = ports;
  }

  /** The target is between two frames, as far as it was heard. */
  get atBoundary(): boolean {
    return this.#reader.atBoundary;
  }

  /** Takes a chunk; gives what is for the client, lent like the chunk: until the next one. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    this.#passed.begin();
    this.#reader.push(chunk);
    for (let event = this.#reader.next(); event !== FRAME.needMore; event = this.#reader.next()) {
      if (event === FRAME.whole) this.#frame();
      else this.#piece(event);
    }
    this.#flush();
    this.#passed.end(this.#result !== undefined);
    const out = this.#out.splice(0);
    // One write for what came together.
    return out.length > 1 ? [Buffer.concat(out)] : out;
  }

  #frame(): void {
    const { type } = this.#reader;
    if (ROWS.has(type) && this.#result !== undefined) return this.#row(this.#result);
    if (ASYNCHRONOUS.has(type)) return this.#asynchronous(type);
    this.#flush();
    this.#ports.responses.prepare(type);
    const head = this.#ports.responses.head;
    if (isOwn(head)) {
      this.#result = ROWS.has(type) ? 'own' : undefined;
      this.#keepFrame();
      this.#flush();
      if (!ROWS.has(type)) this.#ended();
      return;
    }
    this.#answer(type, head);
  }

  /** A frame of an answer to what the client has sent. */
  #answer(type: number, head: Request | undefined): void {
    switch (type) {
      case BACKEND.RowDescription:
      case BACKEND.CopyOutResponse:
        // Of Describe it is no result.
        if (head?.operation === undefined) this.#described(head);
        else this.#begin(type, head.operation);
        return this.#keepFrame();
      case BACKEND.NoData:
        this.#described(head);
        return this.#keepFrame();
      case BACKEND.DataRow:
      case BACKEND.CopyData:
        if (head?.operation === undefined) return this.#keepFrame();
        return this.#row(this.#begin(type, head.operation));
      case BACKEND.CopyInResponse:
        if (head?.operation !== undefined) this.#copyBegins(head.operation);
        return this.#keepFrame();
      case BACKEND.FunctionCallResponse:
        return this.#keep(this.#ports.results.functionResult(this.#whole(), masking(head?.operation)));
      case BACKEND.ErrorResponse:
        this.#error(head);
        return this.#ended();
      case BACKEND.ParseComplete:
        if (head?.makes?.kind === 'statement') {
          this.#ports.trees.parsed(head.makes.statement, this.#trees);
        }
        if (head?.makes?.kind === 'again') this.#ports.trees.again(head.makes.portal, this.#trees);
        break;
      case BACKEND.BindComplete:
        if (head?.makes?.kind === 'portal') this.#ports.trees.bound(head.makes.portal, this.#trees);
        if (statementBound(head) === undefined) this.#described(head);
        break;
      case BACKEND.CommandComplete:
      case BACKEND.EmptyQueryResponse:
        this.#endOfRows(head?.operation);
        if (type === BACKEND.CommandComplete) this.#learn(head?.operation);
        this.#keepFrame();
        this.#ended();
        if (head?.operation === this.#running) this.#at += 1;
        return;
      case BACKEND.PortalSuspended:
      case BACKEND.CopyDone:
        this.#endOfRows(head?.operation);
        return this.#keepFrame();
      case BACKEND.ReadyForQuery:
        this.#described(undefined);
        if (this.#reader.body()[0] === IDLE) this.#ports.trees.forgetCursors();
        break;
      default:
        return this.#keepFrame();
    }
    this.#keepFrame();
    this.#ended();
  }

  /** What came with the answer to a Describe, or to what has no trees. */
  #described(head: Request | undefined): void {
    const { trees, learned } = this.#ports;
    const makes = head?.makes;
    if (makes?.kind === 'described') trees.analysed(makes.statement, this.#trees);
    else if (this.#trees.length > 0) learned.unheard();
    this.#trees = [];
    this.#treeBytes = 0;
  }

  /** An error behind which a statement may have been analysed anew all the same. */
  #notMade(head: Request | undefined): void {
    const statement = statementBound(head);
    if (head?.makes?.kind === 'statement') return;
    if (statement === undefined) this.#described(head);
    else this.#ports.trees.analysed(statement, this.#trees);
  }

  #row(result: MaskedResult | 'own'): void {
    if (result === 'own') this.#keepFrame();
    else result.row(this.#reader, this.#passed);
  }

  /** The rows of a result begin. */
  #begin(type: number, operation: RunningOperation): MaskedResult {
    const result = this.#resultOf(operation);
    const begun = this.#ports.results.begin(result, type, this.#reader.body(), masking(operation));
    if (begun.isTreeless) this.#ports.treeless();
    this.#result = begun;
    return begun;
  }

  /** The client is asked for data. */
  #copyBegins(operation: RunningOperation): void {
    const statement = statementOf(this.#resultOf(operation));
    operation.copied = this.#ports.copiedIn(statement, this.#reader.body()[0] ?? 0);
  }

  #resultOf(operation: RunningOperation | undefined): ResultOf {
    if (operation !== this.#running) this.#at = 0;
    this.#running = operation;
    const at = operation?.runs?.kind === 'Query' ? this.#at : 0;
    return { runs: operation?.runs, at, trees: this.#trees };
  }

  /** What waits in a result is complete: a line of COPY that had no end. */
  #endOfRows(operation: RunningOperation | undefined): void {
    const result = this.#result;
    this.#result = undefined;
    if (operation === undefined || result === undefined || result === 'own') return;
    result.end(this.#passed);
  }

  #learn(operation: RunningOperation | undefined): void {
    if (operation === undefined) return;
    const result = this.#resultOf(operation);
    forgetBy(result, this.#ports.learned);
    learnFrom(result, this.#ports.learned);
  }

  #ended(): void {
    this.#trees = [];
    this.#treeBytes = 0;
    this.#result = undefined;
  }

  #error(head: Request | undefined): void {
    const { messages, learned } = this.#ports;
    const result = this.#resultOf(head?.operation);
    const about = { statement: statementOf(result), trees: treesOf(result, learned) };
    if (head?.operation === undefined) this.#notMade(head);
    else forgetBy(result, learned);
    const refusal = head?.operation?.copied?.refusal;
    // What ends the session says so in its own words.
    if (refusal !== undefined && !messages.isFatal(this.#whole())) return this.#keep(refusal.answer);
    this.#keep(messages.error(this.#whole(), about, masking(head?.operation)));
  }

  /** What belongs to nobody: trees among it. */
  #asynchronous(type: number): void {
    const { responses, messages, learned } = this.#ports;
    if (type === BACKEND.NotificationResponse) return this.#keep(messages.notification(this.#whole()));
    if (type === BACKEND.ParameterStatus) return this.#keep(messages.parameterStatus(this.#whole()));
    // The head may be known only when what came before it has been passed.
    this.#flush();
    const head = responses.head;
    // Whoever asked for trees takes them.
    if (head?.keeper?.notices !== undefined) return this.#keepFrame();
    const message = decodeBackend(BACKEND.NoticeResponse, this.#reader.body());
    const notice = message.kind === 'NoticeResponse' ? classifyNotice(message.fields) : undefined;
    if (notice?.kind === 'tree' && !isOwn(head)) return this.#tree(notice.treeBytes);
    if (notice === undefined || notice.kind !== 'ordinary') return;
    const result = this.#resultOf(head?.operation);
    const about = { statement: statementOf(result), trees: treesOf(result, learned) };
    const shown = messages.notice(this.#whole(), about, isOwn(head) ? undefined : masking(head?.operation));
    if (shown !== undefined) this.#keep(shown);
  }

  #tree(bytes: Uint8Array): void {
    this.#treeBytes += bytes.length;
    const { treesMax, treeBytesMax } = MASKED_SESSION_LIMITS;
    const isTooMuch = this.#trees.length >= treesMax || this.#treeBytes > treeBytesMax;
    if (!isTooMuch) this.#trees.push(this.#ports.trees.read(bytes));
    else this.#trees = [{ kind: 'unread' }, { kind: 'unread' }];
  }

  /** A frame that is longer than any row may be. */
  #piece(event: FrameEvent): void {
    if (event === FRAME.begins) {
      this.#flush();
      const { type } = this.#reader;
      if (!ASYNCHRONOUS.has(type)) this.#ports.responses.prepare(type);
      const head = this.#ports.responses.head;
      this.#inPieces = isOwn(head) || head?.keeper?.notices !== undefined || this.#isShown();
      if (!this.#inPieces) {
        throw new CountersignError('LIMIT_EXCEEDED', {
          limit: 'masking.rowBytesMax',
          allowed: MASKED_SESSION_LIMITS.rowBytesMax,
          actual: this.#reader.length,
        });
      }
    }
    this.#keepFrame();
    this.#flush();
  }

  #isShown(): boolean {
    return this.#result === 'own' || this.#result?.isShown === true;
  }

  #whole(): Uint8Array {
    const { bytes, start, end } = this.#reader;
    return bytes.subarray(start, end);
  }

  /** For the target side: the frame as it came. */
  #keepFrame(): void {
    this.#passed.frame(this.#reader);
  }

  /** For the target side: what stands in the place of a frame. */
  #keep(bytes: Uint8Array): void {
    this.#passed.add(bytes);
  }

  #flush(): void {
    const bytes = this.#passed.take();
    if (bytes === undefined) return;
    for (const piece of this.#ports.pass(bytes)) this.#deliver(piece);
  }

  /** What lies behind what came before goes with it. */
  #deliver(piece: Uint8Array): void {
    const last = this.#out.at(-1);
    const isNext = last?.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset;
    if (!isNext) return void this.#out.push(piece);
    const { buffer, byteOffset, length } = last;
    this.#out[this.#out.length - 1] = new Uint8Array(buffer, byteOffset, length + piece.length);
  }
}

/** Whether it is the gateway's: its answer is kept, and never the client's. */
function isOwn(head: Request | undefined): boolean {
  return head?.keeper !== undefined && head.operation === undefined && head.makes === undefined;
}

function statementBound(head: Request | undefined): PreparedStatement | undefined {
  return head?.makes?.kind === 'portal' ? head.makes.portal.statement : undefined;
}

function masking(operation: RunningOperation | undefined): OperationMasking {
  if (operation === undefined) return new OperationMasking();
  operation.masking ??= new OperationMasking();
  return operation.masking;
}
