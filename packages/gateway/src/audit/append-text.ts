/**
 * Appends and their answers as text, for the way between the threads.
 *
 * A structured clone writes the name of every member and takes nine microseconds for the two leaves of a
 * statement, on either side; one flat JSON array takes less than one. Both ends are this process.
 */

import type { WaitClass } from '@countersign/ledger/events';
import type { Appended, BodyValue, LedgerEvent } from '../core/ledger-port.ts';
import type { AppendRequest, Durable } from './writer-messages.ts';

const WAITS: readonly WaitClass[] = ['async', 'durable', 'signed'];

/** Requests as one text. */
export function encodeAppends(requests: readonly AppendRequest[]): string {
  const flat: unknown[] = [];
  for (const { id, wait, urgent, events } of requests) {
    flat.push(id, WAITS.indexOf(wait), urgent, events.length);
    for (const event of events) pushEvent(flat, event);
  }
  return JSON.stringify(flat);
}

/** What {@link encodeAppends} was given. */
export function decodeAppends(text: string): AppendRequest[] {
  const read = new FlatReader(text);
  const requests: AppendRequest[] = [];
  while (!read.atEnd) {
    const id = read.number();
    const wait = WAITS[read.number()] ?? 'durable';
    const urgent = read.next() === true;
    const events: LedgerEvent[] = [];
    for (let left = read.number(); left > 0; left--) events.push(readEvent(read));
    requests.push({ id, wait, urgent, events });
  }
  return requests;
}

/** Leaves that are durable, with the size of the log. */
export function encodeDurable(size: number, results: readonly Durable[]): string {
  const flat: number[] = [size];
  for (const { id, appended } of results) {
    flat.push(id, appended.length);
    for (const { index, timeUs } of appended) flat.push(index, timeUs);
  }
  return JSON.stringify(flat);
}

export function decodeDurable(text: string): { readonly size: number; readonly results: Durable[] } {
  const read = new FlatReader(text);
  const size = read.number();
  const results: Durable[] = [];
  while (!read.atEnd) {
    const id = read.number();
    const appended: Appended[] = [];
    for (let left = read.number(); left > 0; left--)
      appended.push({ index: read.number(), timeUs: read.number() });
    results.push({ id, appended });
  }
  return { size, results };
}

/** What is absent is written as null: an event holds none. */
function pushEvent(flat: unknown[], event: LedgerEvent): void {
  const { type, kind, keyId, actor, session, target, ref, status, decision, policy, body } = event;
  flat.push(type, kind, keyId, actor, session, target, ref, status, decision, policy);
  if (body === undefined) {
    flat.push(-1);
    return;
  }
  const names = Object.keys(body);
  flat.push(names.length);
  for (const name of names) flat.push(name, body[name]);
}

function readEvent(read: FlatReader): LedgerEvent {
  const event = {
    type: read.text(),
    kind: read.text(),
    keyId: read.text(),
    actor: read.optionalText(),
    session: read.optionalText(),
    target: read.optionalText(),
    ref: read.optionalNumber(),
    status: read.optionalText(),
    decision: read.optionalText(),
    policy: read.optionalText(),
  };
  let left = read.number();
  if (left < 0) return event;
  const fields: [name: string, value: BodyValue][] = [];
  for (; left > 0; left--) fields.push([read.text(), read.value()]);
  // A name may be `__proto__`, which is no member like others where it is assigned.
  return { ...event, body: Object.fromEntries(fields) };
}

class FlatReader {
  readonly #flat: readonly unknown[];
  #at = 0;

  constructor(text: string) {
    const flat: unknown = JSON.parse(text);
    this.#flat = Array.isArray(flat) ? flat : [];
  }

  get atEnd(): boolean {
    return this.#at >= this.#flat.length;
  }

  next(): unknown {
    return this.#flat[this.#at++];
  }

  number(): number {
    return this.optionalNumber() ?? 0;
  }

  text(): string {
    return this.optionalText() ?? '';
  }

  optionalNumber(): number | undefined {
    const value = this.next();
    return typeof value === 'number' ? value : undefined;
  }

  optionalText(): string | undefined {
    const value = this.next();
    return typeof value === 'string' ? value : undefined;
  }

  value(): BodyValue {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The other end is this process, and took a BodyValue.
    return this.next() as BodyValue;
  }
}
