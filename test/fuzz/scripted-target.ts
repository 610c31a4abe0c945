/** A PostgreSQL that has one table, knows seven texts, and keeps to the protocol. */

import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { readFrontend } from '../../packages/gateway/src/protocols/postgres/decode.ts';
import {
  type BackendMessage,
  FRONTEND,
  type FrontendMessage,
  type MalformedMessage,
} from '../../packages/gateway/src/protocols/postgres/messages.ts';

const bytes = (message: BackendMessage): Uint8Array => encodeBackend(message);
const READY = bytes({ kind: 'ReadyForQuery', status: 'I' });
const ROW = bytes({ kind: 'DataRow', values: [Buffer.from('row'), null] });
const NO_FIELDS = bytes({ kind: 'RowDescription', fields: [] });
const COPY_IN = bytes({ kind: 'CopyInResponse', format: 0, columnFormats: [] });

/** Messages whose body is not looked at, or is taken as it is. */
const ANY_BODY: readonly (readonly [number, FrontendMessage])[] = [
  [FRONTEND.Terminate, { kind: 'Terminate' }],
  [FRONTEND.CopyDone, { kind: 'CopyDone' }],
  [FRONTEND.CopyFail, { kind: 'CopyFail', reasonBytes: new Uint8Array(0) }],
  [FRONTEND.Flush, { kind: 'Flush' }],
];

/** Nothing that PostgreSQL would refuse: the gateway could not know that it is a COPY. */
const COPY_FROM_STDIN = /^\s*(?:\/\*[^/]*\*\/\s*)?copy\s+(?:"[^"]*"|\w+)\s*(?:\([^()]*\)\s*)?from\s+stdin\b/;

function failure(code: string): Uint8Array {
  const fields = [
    { code: 'C', valueBytes: Buffer.from(code) },
    { code: 'M', valueBytes: Buffer.from('no') },
  ];
  return bytes({ kind: 'ErrorResponse', fields });
}

function done(tag: string): Uint8Array {
  return bytes({ kind: 'CommandComplete', tag });
}

/** Gives to each frame the answer that PostgreSQL would, in the order of the frames. */
export class ScriptedTarget {
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  #copying: 'simple' | 'extended' | undefined;
  /** Statements of a simple Query that stand behind its COPY. */
  #rest: string[] = [];
  #skipping = false;
  /** It has said that the peer broke the protocol. */
  ended = false;

  take(frame: Uint8Array): Uint8Array[] {
    if (this.ended) return [];
    const message = readFrontend(frame[0] ?? 0, frame.subarray(5));
    if (message.kind === 'Malformed') return this.#malformed(message);
    if (this.#copying !== undefined) return this.#copy(message, this.#copying);
    if (this.#skipping && message.kind !== 'Sync') return [];
    return this.#answer(message);
  }

  /** As PostgresMain and CopyGetData do it. */
  #malformed({ type }: MalformedMessage): Uint8Array[] {
    const [message] = ANY_BODY.filter(([taken]) => taken === type).map(([, whole]) => whole);
    const inCopyIn = this.#copying !== undefined;
    if (message !== undefined && (inCopyIn || type !== FRONTEND.Flush)) {
      return inCopyIn ? this.#copy(message, this.#copying ?? 'simple') : this.#answer(message);
    }
    if (this.#copying !== undefined && type !== FRONTEND.Sync) {
      this.ended = true;
      return [failure('08P01')];
    }
    if (this.#copying !== undefined) return [];
    if (type === FRONTEND.Sync) this.#skipping = false;
    if (this.#skipping) return [];
    if (type !== FRONTEND.Sync && type !== FRONTEND.Query && type !== FRONTEND.FunctionCall) {
      return this.#fail('08P01');
    }
    this.#portals.clear();
    return [failure('08P01'), READY];
  }

  #answer(message: FrontendMessage): Uint8Array[] {
    switch (message.kind) {
      case 'Query':
        this.#statements.delete('');
        this.#portals.clear();
        return this.#simple(Buffer.from(message.textBytes).toString('latin1').split(';'));
      case 'FunctionCall':
        // It commits, and a transaction takes its portals with it.
        this.#portals.clear();
        return [bytes({ kind: 'FunctionCallResponse', value: null }), READY];
      case 'Parse':
        return this.#parse(message.statement, Buffer.from(message.textBytes).toString('latin1'));
      case 'Bind': {
        const text = this.#statements.get(message.statement);
        if (message.portal === '') this.#portals.delete('');
        if (text === undefined || this.#portals.has(message.portal)) return this.#fail('26000');
        this.#portals.set(message.portal, text);
        return [bytes({ kind: 'BindComplete' })];
      }
      case 'Describe':
        return this.#describe(message.target, message.name);
      case 'Execute': {
        const text = this.#portals.get(message.portal);
        return text === undefined ? this.#fail('34000') : this.#execute(text);
      }
      case 'Close':
        (message.target === 'S' ? this.#statements : this.#portals).delete(message.name);
        return [bytes({ kind: 'CloseComplete' })];
      case 'Sync':
        this.#skipping = false;
        this.#portals.clear();
        return [READY];
      case 'Terminate':
        this.ended = true;
        return [];
      default:
        return [];
    }
  }

  #fail(code: string): Uint8Array[] {
    this.#skipping = true;
    return [failure(code)];
  }

  #parse(name: string, text: string): Uint8Array[] {
    if (name === '') this.#statements.delete('');
    if (this.#statements.has(name) || text.includes(';')) return this.#fail('42P05');
    this.#statements.set(name, text);
    return [bytes({ kind: 'ParseComplete' })];
  }

  #describe(target: string, name: string): Uint8Array[] {
    const known = target === 'S' ? this.#statements : this.#portals;
    if (!known.has(name)) return this.#fail('26000');
    const nothing = bytes({ kind: 'NoData' });
    return target === 'S' ? [bytes({ kind: 'ParameterDescription', typeOids: [] }), nothing] : [nothing];
  }

  #execute(text: string): Uint8Array[] {
    if (text.trim() === '') return [bytes({ kind: 'EmptyQueryResponse' })];
    const answers = this.#statement(text, 'extended');
    return answers === 'failed' ? this.#fail('XX000') : answers;
  }

  #simple(texts: readonly string[]): Uint8Array[] {
    const answers: Uint8Array[] = [];
    const list = texts.filter((text) => text.trim() !== '');
    if (list.length === 0) return [bytes({ kind: 'EmptyQueryResponse' }), READY];
    for (const [index, text] of list.entries()) {
      const answer = this.#statement(text, 'simple');
      if (answer === 'failed') return [...answers, failure('XX000'), READY];
      answers.push(...answer);
      if (this.#copying !== undefined) {
        this.#rest = list.slice(index + 1);
        return answers;
      }
    }
    return [...answers, READY];
  }

  #statement(text: string, protocol: 'simple' | 'extended'): Uint8Array[] | 'failed' {
    if (COPY_FROM_STDIN.test(text)) {
      this.#copying = protocol;
      return [COPY_IN];
    }
    if (text.startsWith('copy (')) {
      const data = bytes({ kind: 'CopyData', data: Buffer.from('1\n') });
      const begins = bytes({ kind: 'CopyOutResponse', format: 0, columnFormats: [] });
      return [begins, data, bytes({ kind: 'CopyDone' }), done('COPY 1')];
    }
    if (text.startsWith('prepare s as ')) {
      if (this.#statements.has('s')) return 'failed';
      this.#statements.set('s', text.slice('prepare s as '.length));
      return [done('PREPARE')];
    }
    if (text === 'deallocate all' || text === 'discard all') this.#statements.clear();
    if (/^(?:declare|close|fail)/.test(text)) return 'failed';
    if (!text.startsWith('select')) return [done('DO')];
    return protocol === 'simple' ? [NO_FIELDS, ROW, ROW, done('SELECT 2')] : [ROW, ROW, done('SELECT 2')];
  }

  #copy(message: FrontendMessage, protocol: 'simple' | 'extended'): Uint8Array[] {
    switch (message.kind) {
      case 'CopyData':
        if ((message.data[0] ?? 1) % 8 !== 0) return [];
        this.#copying = undefined;
        return protocol === 'simple' ? [failure('22P02'), READY] : this.#fail('22P02');
      case 'Sync':
      case 'Flush':
        return [];
      case 'CopyDone':
        this.#copying = undefined;
        if (protocol === 'extended') return [done('COPY 1')];
        return [done('COPY 1'), ...(this.#rest.length === 0 ? [READY] : this.#simple(this.#rest))];
      case 'CopyFail':
        this.#copying = undefined;
        if (protocol === 'simple') return [failure('57014'), READY];
        return this.#fail('57014');
      default:
        this.ended = true;
        return [failure('08P01')];
    }
  }
}
