/** A PostgreSQL that is asked for values in both formats, and whether it takes others, on the bare protocol. */

import type { PostgresServer } from '../../examples/demo/postgres-server.ts';
import type { Wire } from '../../packages/gateway/src/masking/operators/operator.ts';
import { WireClient, type ServerFrame } from '../differential/wire-client.ts';
import { execute, frame, parse, query, SYNC } from '../e2e/raw-session.ts';

/** One column of one row. */
export interface Answer {
  readonly oid: number;
  readonly typmod: number;
  readonly value: Uint8Array | null;
}

/** Values of one statement. */
type Parameters = readonly (Uint8Array | null)[];
/** First column of the row that a statement gave, or what it failed with. */
export type Told = Uint8Array | null | Error;

export interface Settings {
  readonly clientEncoding?: string;
  readonly dateStyle?: string;
  readonly intervalStyle?: string;
  readonly byteaOutput?: string;
}

export class MaskServer {
  readonly #client: WireClient;
  readonly #settings: Settings;

  private constructor(client: WireClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
  }

  static async connect(server: PostgresServer, settings: Settings = {}): Promise<MaskServer> {
    const endpoint = {
      port: server.port,
      user: server.superuser,
      database: 'postgres',
      password: server.password,
    };
    const client = await WireClient.login(endpoint, {
      client_encoding: settings.clientEncoding ?? 'UTF8',
      DateStyle: settings.dateStyle ?? 'ISO, MDY',
      IntervalStyle: settings.intervalStyle ?? 'postgres',
      bytea_output: settings.byteaOutput ?? 'hex',
    });
    return new MaskServer(client, settings);
  }

  wire(format: Wire['format']): Wire {
    const { clientEncoding = 'UTF8', dateStyle = 'ISO, MDY', intervalStyle = 'postgres' } = this.#settings;
    return { format, clientEncoding, dateStyle, intervalStyle };
  }

  /** Runs statements that have no answer. */
  async run(text: string): Promise<void> {
    const frames = await this.#exchange([query(text)]);
    const error = errorOf(frames);
    if (error !== undefined) throw new Error(`${text}: ${error}`);
  }

  /** What a statement without parameters shows in its first column and row. */
  async ask(text: string, format: Wire['format']): Promise<Answer> {
    const described = frame('D', Buffer.from('P\0'));
    const frames = await this.#exchange([parse('', text), bind([], format), described, execute(), SYNC]);
    const error = errorOf(frames);
    if (error !== undefined) throw new Error(`${text}: ${error}`);
    return answerOf(frames);
  }

  /** What it shows with these parameters, all in one format, or the error that it says. */
  async tell(text: string, values: Parameters, format: Wire['format']): Promise<Told> {
    const [told] = await this.tellAll([[text, values]], format);
    if (told === undefined) throw new Error('expected an answer');
    return told;
  }

  /** The same of many, each in a transaction of its own. */
  async tellAll(
    questions: readonly (readonly [text: string, values: Parameters])[],
    format: Wire['format'],
  ): Promise<readonly Told[]> {
    const sent = questions.flatMap(([text, values]) => [
      parse('', text),
      bind(values, format),
      execute(),
      SYNC,
    ]);
    const answers: ServerFrame[][] = [[]];
    for (const received of await this.#exchange(sent, questions.length)) {
      answers.at(-1)?.push(received);
      if (received.type === 'Z') answers.push([]);
    }
    return questions.map((_, index) => {
      const frames = answers[index] ?? [];
      const error = errorOf(frames);
      return error === undefined ? answerOf(frames).value : new Error(error);
    });
  }

  close(): void {
    this.#client.destroy();
  }

  async #exchange(frames: readonly Buffer[], ready = 1): Promise<readonly ServerFrame[]> {
    const before = this.#client.frames.length;
    this.#client.send(Buffer.concat(frames));
    if (!(await this.#client.wait('Z', ready))) throw new Error('the server says nothing');
    return this.#client.frames.slice(before);
  }
}

function bind(values: Parameters, format: Wire['format']): Buffer {
  const code = int16(format === 'binary' ? 1 : 0);
  const parts = values.flatMap((value) =>
    value === null ? [int32(-1)] : [int32(value.length), Buffer.from(value)],
  );
  const parameters = [int16(1), code, int16(values.length), ...parts];
  return frame('B', Buffer.from('\0\0'), ...parameters, int16(1), code);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function errorOf(frames: readonly ServerFrame[]): string | undefined {
  return frames
    .find(({ type }) => type === 'E')
    ?.body.toString('latin1')
    .replaceAll('\0', ' ');
}

function answerOf(frames: readonly ServerFrame[]): Answer {
  const description = frames.find(({ type }) => type === 'T')?.body;
  const row = frames.find(({ type }) => type === 'D')?.body;
  if (row === undefined) throw new Error('expected a row');
  const length = row.readInt32BE(2);
  const value = length === -1 ? null : new Uint8Array(row.subarray(6, 6 + length));
  if (description === undefined) return { oid: 0, typmod: -1, value };
  // Behind the name: OID of a table, number of a column, OID of the type, its length, its modifier.
  const at = description.indexOf(0, 2) + 1;
  return { oid: description.readUInt32BE(at + 6), typmod: description.readInt32BE(at + 12), value };
}
