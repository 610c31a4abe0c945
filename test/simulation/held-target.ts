/**
 * A database for simulations of held statements: transactions, pipelines, rows that are counted, and what
 * was committed; nothing else of PostgreSQL.
 *
 * Texts: `W id n` writes n rows, `R id` reads one, `D id` defines something, `X id` fails. Savepoints are
 * undone with what is behind them, but for the counters, as PostgreSQL does it.
 */

import { createHash } from 'node:crypto';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { EARLIER } from '../../packages/gateway/src/session/postgres/count-text.ts';
import type {
  BackendMessage,
  FrontendMessage,
} from '../../packages/gateway/src/protocols/postgres/messages.ts';

/** One statement that ran. */
export interface Ran {
  readonly id: string;
  readonly rows: number;
}

/** What all sessions have in common. */
export class Database {
  /** The statements of each transaction that was committed, in order. */
  readonly committed: (readonly Ran[])[] = [];
  /** Runs that were undone to a savepoint of the gateway's. */
  undone = 0;
}

interface Savepoint {
  readonly name: string;
  /** Statements before it, */
  readonly ran: number;
  /** and portals. */
  readonly portals: ReadonlyMap<string, string>;
}

/** One backend. Owned by one simulated session. */
export class Backend {
  readonly #database: Database;
  readonly #answer: (bytes: Uint8Array) => void;
  #status: 'I' | 'T' | 'E' = 'I';
  /** Open, in a block or in a pipeline. */
  #ran: Ran[] = [];
  /** Counters that are not reset between transactions, as PostgreSQL's are not. */
  #counter = 0;
  /** Another number in each. */
  #transaction = 0;
  #skipping = false;
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  #savepoints: Savepoint[] = [];

  constructor(database: Database, answer: (bytes: Uint8Array) => void) {
    this.#database = database;
    this.#answer = answer;
  }

  /** The connection is gone: what is open is undone. */
  lost(): void {
    this.#ran = [];
  }

  take(message: FrontendMessage): void {
    if (message.kind === 'Sync') return this.#sync();
    if (this.#skipping) return;
    switch (message.kind) {
      case 'Query':
        return this.#query(Buffer.from(message.textBytes).toString());
      case 'Parse':
        this.#statements.set(message.statement, Buffer.from(message.textBytes).toString());
        return this.#say({ kind: 'ParseComplete' });
      case 'Bind':
        return this.#bind(message.portal, message.statement);
      case 'Execute':
        return this.#execute(message.portal);
      case 'Describe':
        return this.#fail('08P01');
      case 'Close':
        if (message.target === 'S') this.#statements.delete(message.name);
        else this.#portals.delete(message.name);
        return this.#say({ kind: 'CloseComplete' });
      case 'Flush':
      case 'Terminate':
        return undefined;
      default:
        throw new Error(`nobody sends ${message.kind}`);
    }
  }

  /** A Describe of neither, which no decoder reads. */
  takeMalformed(): void {
    if (!this.#skipping) this.#fail('08P01');
  }

  #bind(portal: string, statement: string): void {
    const text = this.#statements.get(statement);
    if (text === undefined) return this.#fail('26000');
    this.#portals.set(portal, text);
    return this.#say({ kind: 'BindComplete' });
  }

  #execute(portal: string): void {
    const text = this.#portals.get(portal);
    if (text === undefined) return this.#fail('34000');
    if (text === 'COMMIT' || text === 'ROLLBACK') return this.#endBlock(text);
    if (text.startsWith('ROLLBACK TO')) return void (this.#rollBackTo(text) || this.#fail('3B001'));
    if (this.#status === 'E') return this.#fail('25P02');
    if (text === 'BEGIN') {
      this.#begin();
      return this.#say({ kind: 'CommandComplete', tag: 'BEGIN' });
    }
    if (!this.#run(text, false)) this.#fail('22012');
    return undefined;
  }

  #query(text: string): void {
    this.#statements.delete('');
    if (text.startsWith('ROLLBACK TO')) {
      if (!this.#rollBackTo(text)) this.#failSimple('3B001');
    } else if (this.#status === 'E' && text !== 'ROLLBACK' && text !== 'COMMIT') this.#failSimple('25P02');
    else if (text === 'BEGIN') {
      this.#begin();
      this.#say({ kind: 'CommandComplete', tag: 'BEGIN' });
    } else if (text === 'COMMIT' || text === 'ROLLBACK') this.#endBlock(text);
    else if (!text.split('; ').every((part) => this.#run(part, true))) this.#failSimple('22012');
    if (this.#status === 'I') this.#end(true);
    this.#ready();
  }

  /** PostgreSQL warns the client. */
  #begin(): void {
    if (this.#status !== 'I') throw new Error('a transaction begins inside of another');
    this.#status = 'T';
  }

  #endBlock(text: string): void {
    const kept = text === 'COMMIT' && this.#status === 'T';
    this.#end(kept);
    this.#say({ kind: 'CommandComplete', tag: kept ? 'COMMIT' : 'ROLLBACK' });
  }

  /** False: it fails. */
  #run(text: string, simple: boolean): boolean {
    if (text.includes('WITH RECURSIVE named')) return this.#count(simple);
    if (text === 'SET CONSTRAINTS ALL IMMEDIATE') return this.#done('SET CONSTRAINTS');
    if (text.startsWith(`SELECT pg_catalog.concat_ws(' ', pg_catalog.encode(`))
      return this.#prepared(text, simple);
    const [, name] = /^EXECUTE "([^"]+)"/.exec(text) ?? [];
    if (name !== undefined) return this.#run(this.#statements.get(name) ?? '', simple);
    if (text.startsWith('SAVEPOINT')) return this.#savepoint(text);
    if (text.startsWith('RELEASE')) return this.#release(text);
    if (text.includes(`current_setting('transaction_isolation')`)) {
      return this.#rows([['read committed']], simple);
    }
    if (text.startsWith(`SELECT 'role'`)) return this.#rows([['role', 'current_user', 'app']], simple);
    const [verb, id = '', rows = '0'] = text.split(' ');
    if (verb === 'R') return this.#rows([[id]], simple);
    if (verb !== 'W' && verb !== 'D') return false;
    this.#ran.push({ id, rows: Number(rows) });
    this.#counter += Number(rows);
    this.#say({ kind: 'CommandComplete', tag: verb === 'W' ? `UPDATE ${rows}` : 'CREATE TABLE' });
    return true;
  }

  /** The SHA-256 of the text under the name at the end of the question, and the types of its parameters. */
  #prepared(text: string, simple: boolean): boolean {
    const [, name = ''] = /'([^']*)'$/.exec(text) ?? [];
    const prepared = this.#statements.get(name);
    const types = prepared?.includes(EARLIER) === true ? '1028' : '';
    const rows =
      prepared === undefined ? [] : [[`${createHash('sha256').update(prepared).digest('hex')} ${types}`]];
    return this.#rows(rows, simple);
  }

  #count(simple: boolean): boolean {
    const rows = [['state', 'on', String(this.#transaction), '', '', '{}']];
    if (this.#counter > 0) rows.push(['written', '1', '0', String(this.#counter), '0', '{public,scores}']);
    return this.#rows(rows, simple);
  }

  #savepoint(text: string): boolean {
    if (this.#status !== 'T') return false;
    this.#savepoints.push({ name: nameIn(text), ran: this.#ran.length, portals: new Map(this.#portals) });
    return this.#done('SAVEPOINT');
  }

  #release(text: string): boolean {
    const at = this.#savepoints.findLastIndex(({ name }) => name === nameIn(text));
    if (at === -1) return false;
    this.#savepoints.length = at;
    return this.#done('RELEASE');
  }

  #rollBackTo(text: string): boolean {
    const at = this.#savepoints.findLastIndex(({ name }) => name === nameIn(text));
    const savepoint = this.#savepoints[at];
    if (savepoint === undefined || this.#status === 'I') return false;
    this.#savepoints.length = at + 1;
    this.#ran.length = savepoint.ran;
    for (const portal of this.#portals.keys()) {
      if (!savepoint.portals.has(portal)) this.#portals.delete(portal);
    }
    this.#status = 'T';
    if (savepoint.name.includes('countersign')) this.#database.undone += 1;
    return this.#done('ROLLBACK');
  }

  #done(tag: string): boolean {
    this.#say({ kind: 'CommandComplete', tag });
    return true;
  }

  #rows(rows: readonly (readonly string[])[], simple: boolean): boolean {
    if (simple) this.#say({ kind: 'RowDescription', fields: [] });
    for (const values of rows) {
      this.#say({ kind: 'DataRow', values: values.map((value) => new TextEncoder().encode(value)) });
    }
    this.#say({ kind: 'CommandComplete', tag: `SELECT ${rows.length}` });
    return true;
  }

  #sync(): void {
    if (this.#skipping && this.#status !== 'E') this.#end(false);
    else if (this.#status === 'I') this.#end(true);
    this.#skipping = false;
    this.#ready();
  }

  #end(kept: boolean): void {
    if (kept && this.#ran.length > 0) this.#database.committed.push(this.#ran);
    this.#ran = [];
    this.#savepoints = [];
    this.#status = 'I';
    this.#transaction += 1;
    this.#portals.clear();
  }

  #fail(sqlstate: string): void {
    this.#error(sqlstate);
    this.#skipping = true;
  }

  #failSimple(sqlstate: string): void {
    this.#error(sqlstate);
  }

  #error(sqlstate: string): void {
    const fields = [
      ['S', 'ERROR'],
      ['V', 'ERROR'],
      ['C', sqlstate],
      ['M', 'it fails'],
    ] as const;
    this.#say({
      kind: 'ErrorResponse',
      fields: fields.map(([code, text]) => ({ code, valueBytes: new TextEncoder().encode(text) })),
    });
    if (this.#status === 'T') this.#status = 'E';
    else if (this.#status === 'I') this.#ran = [];
  }

  #ready(): void {
    this.#say({ kind: 'ReadyForQuery', status: this.#status });
  }

  #say(message: BackendMessage): void {
    this.#answer(encodeBackend(message));
  }
}

function nameIn(text: string): string {
  return text.slice(text.indexOf('SAVEPOINT') + 'SAVEPOINT '.length);
}
