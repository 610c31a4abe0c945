/** What a client sends, step by step, and what it was answered: the same towards PostgreSQL and the gateway. */

import type { Client } from 'pg';
import { functionCall, query, TERMINATE } from '../differential/frames.ts';
import { type Endpoint, type ServerFrame, WireClient } from '../differential/wire-client.ts';
import { cells } from './search.ts';

export type Step =
  /** A simple Query. `$DATA` stands for the directory of the server's data. */
  | string
  /** Frames; all are answered when each Query, FunctionCall and Sync of them is, or when this type came. */
  | { readonly send: readonly Buffer[]; readonly until?: string }
  /** FunctionCall of a function by its name, with values in text. */
  | { readonly call: string; readonly values: readonly string[] }
  /** What somebody else does meanwhile, on a connection of their own to the server. */
  | { readonly elsewhere: string };

export interface SessionScript {
  readonly steps: readonly Step[];
  /** Parameters of the StartupMessage beside user and database. */
  readonly startup?: Readonly<Record<string, string>>;
}

/** Everything that came to the client. */
export interface Seen {
  readonly frames: readonly ServerFrame[];
  readonly elapsedMs: number;
  /** SQLSTATE of each error. */
  readonly errors: readonly string[];
  /** Values of all rows, as text. */
  readonly rows: readonly (readonly string[])[];
  /** Of each CommandComplete. */
  readonly tags: readonly string[];
}

/** Another connection to the database, past the gateway; and where the server keeps its files. */
export interface Surroundings {
  readonly elsewhere: () => Promise<Client>;
  readonly dataDir: string;
}

export async function runScript(
  endpoint: Endpoint,
  { steps, startup = {} }: SessionScript,
  surroundings: Surroundings,
): Promise<Seen> {
  const client = await WireClient.login(endpoint, startup);
  const startedMs = performance.now();
  for (const step of steps) {
    if (client.closed) break;
    await runStep(client, step, surroundings);
  }
  const elapsedMs = performance.now() - startedMs;
  client.send(TERMINATE);
  client.endWriting();
  await client.waitClosed();
  return seenIn(client.frames, elapsedMs);
}

async function runStep(client: WireClient, step: Step, surroundings: Surroundings): Promise<void> {
  if (typeof step === 'string') {
    client.send(query(step.replaceAll('$DATA', surroundings.dataDir)));
    await client.wait('Z', 1);
  } else if ('send' in step) {
    client.send(Buffer.concat(step.send));
    if (step.until === undefined) await client.wait('Z', readiesAfter(Buffer.concat(step.send)));
    else await client.wait(step.until, 1);
  } else if ('call' in step) {
    const other = await surroundings.elsewhere();
    const { rows } = await other.query<{ oid: number }>('select $1::regprocedure::oid', [step.call]);
    client.send(functionCall(rows[0]?.oid ?? 0, step.values));
    await client.wait('Z', 1);
  } else {
    const other = await surroundings.elsewhere();
    await other.query(step.elsewhere);
  }
}

/** How many ReadyForQuery come for frames. */
function readiesAfter(frames: Buffer): number {
  let count = 0;
  for (let at = 0; at < frames.length; at += 1 + frames.readUInt32BE(at + 1)) {
    if ('QSF'.includes(String.fromCharCode(frames[at] ?? 0))) count += 1;
  }
  return count;
}

function seenIn(frames: readonly ServerFrame[], elapsedMs: number): Seen {
  const ofType = (type: string): readonly Buffer[] =>
    frames.filter((frame) => frame.type === type).map(({ body }) => body);
  return {
    frames,
    elapsedMs,
    errors: ofType('E').map((body) => /(?:^|\0)C(\w{5})\0/.exec(body.toString('latin1'))?.[1] ?? ''),
    rows: ofType('D').map((body) => cells(body).map((value) => value.toString('latin1'))),
    tags: ofType('C').map((body) => body.toString('latin1').replace('\0', '')),
  };
}
