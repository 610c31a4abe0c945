/**
 * Which answer belongs to which request, for replay.
 *
 * Requests stand in a queue in the order in which the client sent them; each message to the client is
 * for the first that can own it. An error in the extended protocol skips up to Sync. A Sync that a COPY
 * swallowed is dropped when the COPY ends, or when an answer comes that no Sync can own.
 */

import { LIMITS } from '../core/limits.ts';
import { formatAt } from '../protocols/postgres/decode.ts';
import {
  type BackendMessage,
  type ErrorOrNotice,
  type FormatCode,
  FRONTEND,
  type FrontendMessage,
  type MalformedMessage,
  type RowField,
} from '../protocols/postgres/messages.ts';
import { columnNames, type DeliveredPlace, type DeliveryObserver, textIn } from './delivered.ts';
import type { ReplayedError, ReplayedItem, ReplayedOutcome } from './replayed-statement.ts';
import { type Portal, ReplayNames, type Statement } from './replay-names.ts';
import { errorOf, noticeOf } from './server-error.ts';
import { type Asked, ReplayBudget, StatementDraft } from './statement-draft.ts';
import { textOf, valueText } from './value-text.ts';

type RequestKind = 'query' | 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync';

interface Request {
  readonly kind: RequestKind;
  readonly timeUs: number;
  /** What is shown: of Query, FunctionCall and Execute from the start, of others only if they fail. */
  readonly draft?: StatementDraft;
  readonly statement?: Statement;
  readonly portal?: Portal;
  fields: readonly RowField[];
  /** Names of the columns of its rows, once an observer has seen one. */
  columns?: readonly string[];
}

const ANYTHING: ReadonlySet<RequestKind> = new Set<RequestKind>(['query', 'execute']);

/** One session's requests and answers. */
export class AnswerPairing {
  readonly #names = new ReplayNames();
  readonly #budget = new ReplayBudget();
  #queue: Request[] = [];
  #skipping = false;
  #done: ReplayedItem[] = [];
  readonly #observer: DeliveryObserver | undefined;

  constructor(observer?: DeliveryObserver) {
    this.#observer = observer;
  }

  /** What has ended since the last call. */
  take(): ReplayedItem[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  fromClient(message: FrontendMessage | MalformedMessage, timeUs: number): void {
    switch (message.kind) {
      case 'Query':
        this.#pushAsked('query', timeUs, asked('simple', textOf(message.textBytes)));
        return;
      case 'FunctionCall': {
        const { functionOid, values, valueFormats } = message;
        const parameters = values.map((value, i) => valueText(value, formatAt(valueFormats, i), 0));
        this.#pushAsked('query', timeUs, asked('function', `function ${functionOid}`, parameters));
        return;
      }
      case 'Parse':
        this.#parse(message.statement, textOf(message.textBytes), false, message.parameterTypeOids, timeUs);
        return;
      case 'Bind':
        this.#push({ kind: 'bind', timeUs, portal: this.#names.bind(message), fields: [] });
        return;
      case 'Describe':
        this.#describe(message.target, message.name, timeUs);
        return;
      case 'Execute':
        this.#execute(message.portal, timeUs);
        return;
      case 'Close':
        this.#push({ kind: 'close', timeUs, fields: [] });
        return;
      case 'Sync':
        this.#skipping = false;
        this.#push({ kind: 'sync', timeUs, fields: [] });
        return;
      case 'CopyDone':
      case 'CopyFail':
        this.#dropSwallowed();
        return;
      case 'Malformed':
        this.#malformed(message, timeUs);
        return;
      default:
        // Flush asks for nothing; Terminate, passwords and unknown messages have no answer here.
        return;
    }
  }

  /** A message of which only the beginning was kept. */
  largeFromClient(type: number, head: Uint8Array, length: number, timeUs: number): void {
    const firstEnd = head.indexOf(0);
    if (type === FRONTEND.Query) {
      this.#pushAsked('query', timeUs, {
        ...asked('simple', textOf(head)),
        sql: { text: textOf(head), cut: true },
      });
    } else if (type === FRONTEND.Parse && firstEnd >= 0) {
      this.#parse(textOf(head.subarray(0, firstEnd)), textOf(head.subarray(firstEnd + 1)), true, [], timeUs);
    } else if (type === FRONTEND.Bind && firstEnd >= 0) {
      const secondEnd = head.indexOf(0, firstEnd + 1);
      const portal = textOf(head.subarray(0, firstEnd));
      const statement = textOf(head.subarray(firstEnd + 1, Math.max(secondEnd, firstEnd + 1)));
      this.#push({ kind: 'bind', timeUs, portal: this.#names.bindLarge(portal, statement), fields: [] });
    } else {
      const sql = `(a message of type 0x${type.toString(16)} with ${length} bytes)`;
      this.#pushAsked('query', timeUs, asked('function', sql));
    }
  }

  copiedIn(length: number): void {
    this.#queue.find((request) => ANYTHING.has(request.kind))?.draft?.copied(length);
  }

  copiedOut(bytes: Uint8Array): void {
    const draft = this.#head(ANYTHING)?.draft;
    draft?.copied(bytes.length);
    this.#observer?.stream(draft, 'copy', bytes, false);
  }

  /** A piece of a row that is too large to be held. */
  largeRow(bytes: Uint8Array, isLast: boolean): void {
    this.#observer?.stream(this.#head(ANYTHING)?.draft, 'row', bytes, isLast);
  }

  /** A message of the target that is too large to be kept: a row. */
  largeToClient(_type: number, length: number, _timeUs: number): void {
    this.#head(ANYTHING)?.draft?.row(() => [`(a row of ${length} bytes)`]);
  }

  toClient(message: BackendMessage, timeUs: number, fromGateway: boolean): void {
    switch (message.kind) {
      case 'ParseComplete':
        this.#shift('parse');
        return;
      case 'BindComplete':
        this.#shift('bind');
        return;
      case 'CloseComplete':
        this.#shift('close');
        return;
      case 'NoData':
        this.#shift('describe');
        return;
      case 'RowDescription':
        this.#described(message.fields);
        return;
      case 'DataRow':
        this.#row(message.values);
        return;
      case 'FunctionCallResponse': {
        const draft = this.#head(ANYTHING)?.draft;
        draft?.row(() => [valueText(message.value, 1, 0)]);
        if (message.value !== null) this.#observer?.value(draft, '', message.value);
        return;
      }
      case 'CommandComplete':
        this.#completed(message.tag, timeUs);
        return;
      case 'EmptyQueryResponse':
        this.#completed('', timeUs);
        return;
      case 'PortalSuspended':
        this.#head(ANYTHING)?.draft?.suspend();
        this.#endExecute(timeUs);
        return;
      case 'CopyInResponse':
        this.#head(ANYTHING)?.draft?.copy('in');
        return;
      case 'CopyOutResponse':
        this.#head(ANYTHING)?.draft?.copy('out');
        return;
      case 'CopyBothResponse':
        this.#head(ANYTHING)?.draft?.copy('both');
        return;
      case 'ErrorResponse':
        this.#observeFields('error', message);
        this.#failed(errorOf(message, fromGateway), timeUs);
        return;
      case 'NoticeResponse':
        this.#observeFields('notice', message);
        this.#firstDraft()?.notice(noticeOf(message));
        return;
      case 'NotificationResponse':
        this.#observer?.text(undefined, 'notification', message.channelBytes);
        this.#observer?.text(undefined, 'notification', message.payloadBytes);
        return;
      case 'ParameterStatus':
        this.#observer?.text(undefined, 'parameter', message.valueBytes);
        return;
      case 'ReadyForQuery':
        this.#ready(timeUs);
        return;
      default:
        // Login belongs to no statement; CopyData is only counted.
        return;
    }
  }

  /** The recording is over. */
  end(timeUs: number): void {
    for (const { draft } of this.#queue) if (draft !== undefined) this.#end(draft, timeUs, 'unanswered');
    this.#queue = [];
  }

  #end(draft: StatementDraft, timeUs: number, outcome: ReplayedOutcome): void {
    const statement = draft.finish(timeUs, outcome);
    this.#done.push(statement);
    this.#observer?.ended(draft, statement);
  }

  #firstDraft(): StatementDraft | undefined {
    return this.#queue.find((request) => request.draft !== undefined)?.draft;
  }

  #observeFields(place: DeliveredPlace, { fields }: ErrorOrNotice): void {
    const observer = this.#observer;
    if (observer === undefined) return;
    const draft = this.#firstDraft();
    for (const { valueBytes } of fields) observer.text(draft, place, valueBytes);
  }

  #parse(name: string, sql: string, cut: boolean, oids: readonly number[], timeUs: number): void {
    this.#push({ kind: 'parse', timeUs, statement: this.#names.parse(name, sql, cut, oids), fields: [] });
  }

  #describe(target: 'S' | 'P', name: string, timeUs: number): void {
    const statement = target === 'S' ? this.#names.statement(name) : undefined;
    const portal = target === 'P' ? this.#names.portal(name) : undefined;
    this.#push({
      kind: 'describe',
      timeUs,
      fields: [],
      ...(statement === undefined ? {} : { statement }),
      ...(portal === undefined ? {} : { portal }),
    });
  }

  #execute(name: string, timeUs: number): void {
    const portal = this.#names.portal(name);
    const draft = new StatementDraft(timeUs, askedBy(portal), this.#budget);
    this.#push({ kind: 'execute', timeUs, draft, fields: [], ...(portal === undefined ? {} : { portal }) });
  }

  /** Answered with an error. */
  #malformed({ type, reason }: MalformedMessage, timeUs: number): void {
    const simple = type === FRONTEND.Query || type === FRONTEND.FunctionCall;
    if (type === FRONTEND.Sync) this.fromClient({ kind: 'Sync' }, timeUs);
    else
      this.#pushAsked(
        simple ? 'query' : 'execute',
        timeUs,
        asked(
          simple ? 'simple' : 'extended',
          `(a malformed message of type 0x${type.toString(16)}: ${reason})`,
        ),
      );
  }

  #pushAsked(kind: RequestKind, timeUs: number, what: Asked): void {
    this.#push({ kind, timeUs, draft: new StatementDraft(timeUs, what, this.#budget), fields: [] });
  }

  #push(request: Request): void {
    if (this.#skipping && request.kind !== 'sync') {
      this.#skip(request, request.timeUs);
      return;
    }
    if (this.#queue.length >= LIMITS.recording.replayPendingMax) this.end(request.timeUs);
    this.#queue.push(request);
  }

  /** The first request that can own the answer; a Sync before it was swallowed. */
  #head(kinds: ReadonlySet<RequestKind>): Request | undefined {
    while (this.#queue[0]?.kind === 'sync') this.#queue.shift();
    const [head] = this.#queue;
    return head !== undefined && kinds.has(head.kind) ? head : undefined;
  }

  #shift(kind: RequestKind): void {
    if (this.#head(new Set([kind])) !== undefined) this.#queue.shift();
  }

  #described(fields: readonly RowField[]): void {
    const head = this.#head(new Set<RequestKind>(['describe', 'query', 'execute']));
    if (head === undefined) return;
    // The frame's memory is used again; what is kept needs names of its own.
    const kept = fields.map((field) => ({ ...field, nameBytes: field.nameBytes.slice() }));
    if (head.kind === 'describe') {
      if (head.statement !== undefined) head.statement.fields = kept;
      if (head.portal !== undefined) head.portal.fields = kept;
      this.#queue.shift();
      return;
    }
    head.fields = kept;
    // A simple Query has a description for each of its results.
    delete head.columns;
    head.draft?.begin(kept.map((field) => textOf(field.nameBytes)));
  }

  #row(values: readonly (Uint8Array | null)[]): void {
    const head = this.#head(ANYTHING);
    if (head?.draft === undefined) return;
    const { draft, portal } = head;
    const fields = portal === undefined ? head.fields : (portal.fields ?? portal.statement?.fields ?? []);
    if (!draft.begun && portal !== undefined) {
      draft.begin(values.map((_, i) => nameOf(fields[i], i)));
    }
    const formatOf = (i: number): FormatCode =>
      portal === undefined ? (fields[i]?.format ?? 0) : formatAt(portal.resultFormats, i);
    draft.row(() => values.map((value, i) => valueText(value, formatOf(i), fields[i]?.typeOid ?? 0)));
    const observer = this.#observer;
    if (observer === undefined) return;
    head.columns ??= columnNames(fields, values.length);
    for (const [i, value] of values.entries()) {
      const text = value === null ? undefined : textIn(value, formatOf(i), fields[i]?.typeOid ?? 0);
      if (text !== undefined) observer.value(draft, head.columns[i] ?? '', text);
    }
  }

  #completed(tag: string, timeUs: number): void {
    this.#nameColumns();
    this.#head(ANYTHING)?.draft?.complete(tag);
    this.#endExecute(timeUs);
  }

  /** An Execute that gave no row still has the columns that its Describe named. */
  #nameColumns(): void {
    const head = this.#head(ANYTHING);
    const fields = head?.portal?.fields ?? head?.portal?.statement?.fields;
    if (head?.draft === undefined || head.draft.begun || fields === undefined) return;
    head.draft.begin(fields.map((field, i) => nameOf(field, i)));
  }

  #endExecute(timeUs: number): void {
    const head = this.#head(ANYTHING);
    if (head?.kind !== 'execute') return;
    this.#queue.shift();
    if (head.draft !== undefined) this.#end(head.draft, timeUs, 'completed');
  }

  #failed(error: ReplayedError, timeUs: number): void {
    const [head] = this.#queue;
    if (head === undefined || head.kind === 'sync') {
      // A constraint that is checked at the end of the transaction fails at Sync; a FATAL error at any time.
      this.#done.push({
        kind: 'note',
        timeUs,
        text: `${error.severity} ${error.sqlstate}: ${error.message}`,
      });
      return;
    }
    const draft = head.draft ?? this.#draftOf(head);
    draft.fail(error);
    if (head.kind === 'query') return;
    this.#queue.shift();
    this.#end(draft, timeUs, 'failed');
    this.#skipping = true;
    while (this.#skipping && this.#queue.length > 0) {
      const [next] = this.#queue;
      if (next === undefined || next.kind === 'sync') this.#skipping = false;
      else this.#skip(this.#queue.shift(), timeUs);
    }
  }

  /** A Parse, Bind or Describe that fails is shown as the Execute that it was for, where that was sent. */
  #draftOf(failed: Request): StatementDraft {
    for (const request of this.#queue) {
      if (request.kind === 'sync') break;
      const { draft, portal } = request;
      if (draft === undefined || portal === undefined) continue;
      if (portal !== failed.portal && portal.statement !== failed.statement) continue;
      this.#queue.splice(this.#queue.indexOf(request), 1);
      return draft;
    }
    return new StatementDraft(failed.timeUs, askedByRequest(failed), this.#budget);
  }

  #skip(request: Request | undefined, timeUs: number): void {
    if (request?.draft !== undefined) this.#end(request.draft, timeUs, 'skipped');
  }

  #ready(timeUs: number): void {
    const [head] = this.#queue;
    if (head === undefined || (head.kind !== 'sync' && head.kind !== 'query')) return;
    this.#queue.shift();
    if (head.draft !== undefined) this.#end(head.draft, timeUs, 'completed');
  }

  #dropSwallowed(): void {
    const at = this.#queue.findIndex((request) => ANYTHING.has(request.kind));
    if (this.#queue[at]?.draft?.copying !== true) return;
    this.#queue = this.#queue.filter((request, index) => index <= at || request.kind !== 'sync');
  }
}

function asked(protocol: Asked['protocol'], text: string, parameters: Asked['parameters'] = []): Asked {
  return { protocol, sql: { text, cut: false }, parameters, parametersCut: false };
}

function askedBy(portal: Portal | undefined): Asked {
  return {
    protocol: 'extended',
    sql: portal?.statement?.sql ?? { text: '', cut: true },
    parameters: portal?.parameters ?? [],
    parametersCut: portal?.parametersCut ?? true,
  };
}

function askedByRequest(request: Request): Asked {
  if (request.portal !== undefined) return askedBy(request.portal);
  const sql = request.statement?.sql ?? { text: '', cut: true };
  return { protocol: 'extended', sql, parameters: [], parametersCut: false };
}

function nameOf(field: RowField | undefined, index: number): string {
  return field === undefined ? `column${index + 1}` : textOf(field.nameBytes);
}
