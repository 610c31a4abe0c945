/** Statements of one session, one after the other, and what came for each. */

import { query, TERMINATE } from '../differential/frames.ts';
import { type Endpoint, type ServerFrame, WireClient } from '../differential/wire-client.ts';
import type { Harmless } from './harmless/harmless.ts';
import { cells } from './search.ts';
import { extended } from './tries/try.ts';

/** Far below the silence at which a client gives up. */
const STATEMENT_TIMEOUT_MS = 3_000;
/** What is endless is stopped in any case: sooner says the same. */
const ENDLESS_TIMEOUT_MS = 300;

export class StatementSession {
  readonly #endpoint: Endpoint;
  #client: WireClient | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Everything that came for it; what it wrote is undone. */
  async run(statement: Harmless): Promise<readonly ServerFrame[]> {
    if (statement.endless !== true) return this.#run(statement);
    await this.#send(query(timeout(ENDLESS_TIMEOUT_MS)));
    const frames = await this.#run(statement);
    await this.#send(query(timeout(STATEMENT_TIMEOUT_MS)));
    return frames;
  }

  async #run({ text, values }: Harmless): Promise<readonly ServerFrame[]> {
    const reads =
      /^\s*(?:select|show|table|values|explain|begin|commit|rollback|set|reset|with recursive)\b/i.test(text);
    if (!reads) await this.#send(query('begin'));
    const step = values === undefined ? query(text) : framesOf(extended(text, { values }));
    const frames = await this.#send(step);
    // An empty path in a session behind it would be an error of another session.
    if (!reads) await this.#send(query('rollback'));
    return frames;
  }

  async #send(bytes: Buffer): Promise<readonly ServerFrame[]> {
    if (this.#client === undefined || this.#client.closed) {
      this.#client = await WireClient.login(this.#endpoint);
      await answersTo(this.#client, query(timeout(STATEMENT_TIMEOUT_MS)));
    }
    return answersTo(this.#client, bytes);
  }

  async close(): Promise<void> {
    this.#client?.send(TERMINATE);
    this.#client?.endWriting();
    await this.#client?.waitClosed();
    this.#client = undefined;
  }
}

function timeout(ms: number): string {
  return `set statement_timeout = '${ms}ms'`;
}

async function answersTo(client: WireClient, bytes: Buffer): Promise<readonly ServerFrame[]> {
  const from = client.frames.length;
  client.send(bytes);
  if (!(await client.wait('Z', 1))) throw new Error('it was not answered');
  return client.frames.slice(from);
}

function framesOf(step: ReturnType<typeof extended>): Buffer {
  if (typeof step === 'string' || !('send' in step)) throw new Error('expected frames');
  return Buffer.concat(step.send);
}

/** The error that it ended with. */
export function errorOf(frames: readonly ServerFrame[]): string | undefined {
  const body = frames.find(({ type }) => type === 'E')?.body;
  if (body === undefined) return undefined;
  const fields = body.toString('utf8').split('\0');
  const field = (letter: string): string => fields.find((one) => one.startsWith(letter))?.slice(1) ?? '';
  return `${field('C')} ${field('M')}`;
}

/** The same frames without the values of these columns, which are not compared; NULL is an empty value. */
export function withoutColumns(
  frames: readonly ServerFrame[],
  hidden: ReadonlySet<string>,
): readonly ServerFrame[] {
  let names: readonly string[] = [];
  return frames.map((frame) => {
    if (frame.type === 'T') names = columnNames(frame.body);
    if (frame.type !== 'D' || !names.some((name) => hidden.has(name))) return frame;
    const kept = cells(frame.body).map((cell, at) => (hidden.has(names[at] ?? '') ? Buffer.from('?') : cell));
    return { type: 'D', body: dataRow(kept) };
  });
}

/** Which of these columns came with a value as it is stored; NULL tells nothing. */
export function unchangedColumns(
  stored: readonly ServerFrame[],
  got: readonly ServerFrame[],
  columns: ReadonlySet<string>,
): readonly string[] {
  const clear = valuesByColumn(stored);
  return [...valuesByColumn(got)]
    .filter(([name]) => columns.has(name))
    .filter(([name, values]) => values.some((value, at) => value !== '' && value === clear.get(name)?.[at]))
    .map(([name]) => name);
}

function valuesByColumn(frames: readonly ServerFrame[]): ReadonlyMap<string, readonly string[]> {
  let names: readonly string[] = [];
  const columns = new Map<string, string[]>();
  for (const { type, body } of frames) {
    if (type === 'T') names = columnNames(body);
    if (type !== 'D') continue;
    for (const [at, cell] of cells(body).entries()) {
      const name = names[at] ?? '';
      const values = columns.get(name) ?? [];
      values.push(cell.toString('latin1'));
      columns.set(name, values);
    }
  }
  return columns;
}

function columnNames(body: Buffer): readonly string[] {
  const names: string[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left -= 1) {
    const end = body.indexOf(0, at);
    names.push(body.toString('utf8', at, end));
    at = end + 19;
  }
  return names;
}

function dataRow(values: readonly Buffer[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  return Buffer.concat([
    count,
    ...values.flatMap((value) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(value.length);
      return [length, value];
    }),
  ]);
}
