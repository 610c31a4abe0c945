/** Statements with unique marks in every form of the protocol, until the gateway is gone. */

import { Client } from 'pg';
import { bind, execute, frame, parse, query, type RawSession, rawSession, SYNC } from '../e2e/raw-session.ts';
import { PEOPLE, type Ready } from './processes.ts';

/** Everything that was sent: each mark, whether or not it came to the target. */
export class Sent {
  readonly marks = new Set<string>();
  #wanted = Number.POSITIVE_INFINITY;
  #reached: (() => void) | undefined;

  add(mark: string): void {
    this.marks.add(mark);
    if (this.marks.size >= this.#wanted) this.#reached?.();
  }

  /** Resolves when so many more were sent. */
  more(count: number): Promise<void> {
    this.#wanted = this.marks.size + count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }
}

/** A session has sent what it was to send. */
class Enough extends Error {}

/**
 * Several sessions of several people at once; resolves when the gateway has dropped the last one.
 *
 * @param marksMax of each session: what an export takes grows with the log, and the log with what it takes
 */
export async function load(
  ready: Ready,
  name: string,
  sent: Sent,
  marksMax: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  const forms = [simpleAndExtended, simpleAndExtended, writes, copies, pipelines, reconnects];
  await Promise.all(
    forms.map(async (form, number) => {
      const person = PEOPLE[number % 3] ?? 'ana';
      const mark = (i: number): string => {
        if (i >= marksMax) throw new Enough();
        const text = `mark-${name}-${number}-${i}`;
        sent.add(text);
        return text;
      };
      try {
        await form({ ready, person, mark });
      } catch {
        // The gateway was killed, or it is enough: that is what ends the load.
      }
    }),
  );
}

interface Place {
  readonly ready: Ready;
  readonly person: string;
  readonly mark: (i: number) => string;
}

async function connect({ ready, person }: Place): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: ready.port,
    user: person,
    password: ready.tokens[person] ?? '',
    database: 'db',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function connectRaw({ ready, person }: Place): Promise<RawSession> {
  return rawSession({ gateway: { postgres: ready } }, ready.tokens[person] ?? '', person);
}

async function simpleAndExtended(place: Place): Promise<void> {
  const client = await connect(place);
  for (let i = 0; ; i++) {
    if (i % 2 === 0) await client.query(`select '${place.mark(i)}'`);
    else await client.query(`select $1::int, '${place.mark(i)}'`, [i]);
  }
}

/** Rows that stay in the target: a witness beside its log. */
async function writes(place: Place): Promise<void> {
  const client = await connect(place);
  for (let i = 0; ; i++) {
    if (i % 3 === 0) await client.query('begin');
    await client.query('insert into marks values ($1)', [place.mark(i)]);
    if (i % 3 === 2) await client.query('commit');
  }
}

async function copies(place: Place): Promise<void> {
  const raw = await connectRaw(place);
  for (let i = 0; !raw.over; i++) {
    const mark = place.mark(i);
    const rows = Buffer.from(`${mark}\n`.repeat(50));
    const frames = [query(`copy marks from stdin /* ${mark} */`), frame('d', rows), frame('c')];
    await raw.send(frames, i + 1);
  }
}

async function pipelines(place: Place): Promise<void> {
  const raw = await connectRaw(place);
  for (let turn = 0; !raw.over; turn++) {
    const steps = Array.from({ length: 5 }, (_, i) => [
      parse('', `select '${place.mark(turn * 5 + i)}'`),
      bind('', ''),
      execute(),
    ]);
    await raw.send([...steps.flat(), SYNC], turn + 1);
  }
}

/** Sessions that come and go. */
async function reconnects(place: Place): Promise<void> {
  for (let i = 0; ; i++) {
    const client = await connect(place);
    await client.query(`select '${place.mark(i)}'`);
    await client.end();
  }
}
