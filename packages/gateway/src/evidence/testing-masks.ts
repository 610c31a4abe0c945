/** For tests: what a gateway with Masks writes into its log and its recordings. */

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Json, jcs } from '@countersign/ledger/jcs';
import type { BodyValue, LedgerEvent } from '../core/ledger-port.ts';
import { parseId } from '../core/ids.ts';
import { encodeBackend, encodeFrontend } from '../protocols/postgres/encode.ts';
import type { BackendMessage } from '../protocols/postgres/messages.ts';
import { Recorder } from '../recording/recorder.ts';
import { diffOf } from '../resources/plan.ts';

/** Appends what a gateway would; testing-log.ts has it. */
export interface MaskScene {
  event(type: string, name: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent;
  append(event: LedgerEvent): Promise<number>;
  inSession(type: string, session: string): LedgerEvent;
  intent(session: string, sql: string, said: Readonly<Record<string, BodyValue>>): Promise<number>;
  keyOf(session: string): Uint8Array;
}

const CUSTOMERS_1 = { kind: 'Mask', name: 'customers', columns: ['customers.email'], as: 'redact' };
const CUSTOMERS_2 = {
  ...CUSTOMERS_1,
  columns: ['customers.email', 'customers.phone'],
  as: { kind: 'partial', keepLast: 4 },
  unless: ['group:privacy'],
};
const LOOKS = { kind: 'Mask', name: 'looks', detect: ['email'], as: 'redact' };
const STAFF = { kind: 'Detector', name: 'staff', pattern: 'EMP-[0-9]{6}' };
const ACCESS = { kind: 'Access', name: 'secret-people', who: ['zoe'], to: ['rerank'] };
/** A Mask that another gateway made: this log has no leaf of it. */
const ELSEWHERE = { mask: 'elsewhere', version: 7 };

/** Before the range: what is in force when it begins, and what is none of it. */
export async function masksBefore(scene: MaskScene): Promise<void> {
  await change(scene, undefined, CUSTOMERS_1, 1);
  await change(scene, undefined, { ...LOOKS, name: 'gone' }, 1);
  await change(scene, { ...LOOKS, name: 'gone' }, undefined, 2);
  await change(scene, undefined, ACCESS, 1);
  await change(scene, undefined, STAFF, 1);
}

/** In the period. */
export async function masksWithin(scene: MaskScene, session: string): Promise<void> {
  const first = [{ mask: 'customers', version: 1 }];
  await masked(scene, session, 'select email from customers', { masks: first }, [
    entry('customers', 1, 'shop.customers.email', 'EMAIL', 'redact', 3),
  ]);
  await change(scene, CUSTOMERS_1, CUSTOMERS_2, 2);
  await change(scene, undefined, LOOKS, 1);
  const masks = [{ mask: 'customers', version: 2 }, { mask: 'looks', version: 1 }, ELSEWHERE];
  const permissive = {
    masks,
    predicate_on_masked: [{ ...masks[0], column: '=shop.customers.phone', use: 'predicate' }],
  };
  await masked(
    scene,
    session,
    'select email, note from customers',
    permissive,
    [
      entry('customers', 2, 'shop.customers.email', 'EMAIL', 'partial', 5),
      entry('looks', 1, 'note', 'EMAIL', 'redact', 2),
    ],
    { masked_more: 9, masked_whole: 2, masked_in_errors: 1 },
  );
  await masked(scene, session, 'select email from customers', { masks, masks_exempt: [masks[0] ?? {}] }, [
    entry('looks', 1, 'note', 'EMAIL', 'redact', 1),
  ]);
  const rules = [{ rule: 'customers', version: 2, verdict: 'block' }];
  const sql = "select 1 from customers where email = 'x'";
  const ref = await scene.intent(session, sql, {
    decision: 'block',
    masks,
    rules,
    reason: 'a masked column',
  });
  await scene.append({ ...scene.inSession('statement.outcome', session), ref, status: 'blocked', body: {} });
  const reveal = { rule: 'customers', column: 'shop.customers.email', reason: 'a complaint', count: 1 };
  await scene.append(scene.event('mask.reveal', 'ana', reveal));
  await change(scene, LOOKS, undefined, 2);
}

/** A recording of the session's statements, with what was delivered in the clear. */
export async function record(
  scene: MaskScene,
  directory: string,
  session: string,
  sql: string,
  answer: readonly BackendMessage[],
): Promise<void> {
  const clock = { nowUs: () => Date.now() * 1_000, monotonicUs: () => performance.now() * 1_000 };
  await using recorder = new Recorder({ directory: join(directory, 'recordings'), clock, randomBytes });
  const recording = recorder.open(parseId('session', session), scene.keyOf(session));
  const segments: { readonly number: number; readonly sha256: string }[] = [];
  recording.onSegment((segment) => segments.push(segment));
  recording.record(0, encodeFrontend({ kind: 'Query', textBytes: Buffer.from(sql) }), clock.nowUs());
  const ready: BackendMessage = { kind: 'ReadyForQuery', status: 'I' };
  const bytes = Buffer.concat([...answer, ready].map((message) => encodeBackend(message)));
  recording.record(1, bytes, clock.nowUs());
  await recording.close();
  for (const { number, sha256 } of segments) {
    const body = { number, sha256 };
    await scene.append({ ...scene.inSession('recording.segment', session), status: 'ok', body });
  }
}

function entry(
  mask: string,
  version: number,
  column: string,
  entity: string,
  operator: string,
  values: number,
): Readonly<Record<string, BodyValue>> {
  return { mask, version, column, entity, operator, values };
}

async function masked(
  scene: MaskScene,
  session: string,
  sql: string,
  said: Readonly<Record<string, BodyValue>>,
  entries: readonly BodyValue[],
  more: Readonly<Record<string, BodyValue>> = {},
): Promise<void> {
  const ref = await scene.intent(session, sql, said);
  const body = { rows: 5, tags: ['SELECT 5'], masked: [...entries], ...more };
  await scene.append({ ...scene.inSession('statement.outcome', session), ref, status: 'ok', body });
}

type Document = Readonly<Record<string, Json>> & { readonly kind: string; readonly name: string };

async function change(
  scene: MaskScene,
  from: Document | undefined,
  to: Document | undefined,
  version: number,
): Promise<void> {
  const { kind, name } = to ?? from ?? { kind: '', name: '' };
  const texts = { from: from === undefined ? '' : jcs(from), to: to === undefined ? '' : jcs(to) };
  const body = {
    resource_kind: kind,
    name,
    version,
    changed_by: 'ana',
    diff: diffOf(texts.from, texts.to).map((one) => ({ ...one })),
    ...(from === undefined ? {} : { from_digest: digestOf(texts.from) }),
    ...(to === undefined ? {} : { to_digest: digestOf(texts.to) }),
  };
  const event = scene.event(to === undefined ? 'resource.delete' : 'resource.apply', 'ana', body);
  const status = from === undefined ? 'created' : 'updated';
  await scene.append(to === undefined ? event : { ...event, status });
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
