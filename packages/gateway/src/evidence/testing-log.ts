/**
 * A small real log for tests: people, sessions, statements, a rotation, a shredded session; and what an
 * export of it needs. Sessions are open at both ends of the period, and leaves lie on either side of it.
 */

import { createHash, randomBytes, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '@countersign/ledger/bytes';
import { formatNote, formatVerifierKey, makeVerifierKey, SIGNATURE_TYPE } from '@countersign/ledger/note';
import { Ledger, type LedgerOptions } from '../audit/ledger.ts';
import { LogReader } from '../audit/log-reader.ts';
import { makeId } from '../core/ids.ts';
import type { Appended, BodyValue, LedgerEvent, ScopeKeys } from '../core/ledger-port.ts';
import { signingKeyOf } from '../keys/signing-key.ts';
import type { EvidenceOptions } from './export.ts';
import type { MaskScene } from './testing-masks.ts';
import { type RequestScene, requestsWithin } from './testing-requests.ts';

/** A large log is written in groups: one statement at a time waits for the disk twice. */
const ONE_BY_ONE_MAX = 1_000;
const GROUP = 1_000;

export const TESTING_ORIGIN = 'countersign.test/ledger/gw1';

/** What policy says of a statement. */
interface Said extends Readonly<Record<string, BodyValue>> {
  readonly decision?: 'allow' | 'hold' | 'block';
}

/** Everything but where to. */
export type TestingExport = Omit<EvidenceOptions, 'out'>;

/** What {@link openTestingLog} needs again, in another process for one. */
interface Saved {
  readonly keys: Readonly<Record<string, string>>;
  readonly seed: string;
  readonly verifierKeys: readonly string[];
  readonly fromUs: number;
  readonly toUs: number;
}

/** What happens beside what every such log has. */
export interface TestingExtras {
  /** Before the first checkpoint. */
  readonly before?: (scene: MaskScene) => Promise<void>;
  /** In the period, in a session that is open. */
  readonly within?: (scene: MaskScene, session: string) => Promise<void>;
}

/** Writes the log below a directory. */
export async function writeTestingLog(
  directory: string,
  statements: number,
  { before, within }: TestingExtras = {},
): Promise<void> {
  const keys = new Map<string, Uint8Array>();
  const seeds = [seedOf('first'), seedOf('second')] as const;
  const ledger = await Ledger.open(ledgerOptions(directory, seeds[0], scopeKeys(keys)));
  const scene = new Scene(ledger, keys);
  const first = ledger.verifierKey;

  await before?.(scene);
  const early = await scene.startSession('Early', 'early@example.test');
  await scene.run(early, 'select 1');
  const over = await scene.startSession('Over', 'over@example.test');
  await scene.end(over);
  await ledger.checkpoint();
  await scene.run(early, 'before the period, after the checkpoint');

  const from = await scene.login('ana', 'ok');
  await scene.login('=cmd()', 'failed');
  await scene.append(scene.event('auth.lockout', 'ana', { name: 'ana', failures: 5, seconds: 60 }));
  const ana = await scene.startSession('Ana "A", Ltd', 'ana@example.test');
  const secret = await scene.startSession('Shredded', 'gone@example.test');
  await scene.run(secret, 'select name from people');
  await scene.end(secret);
  const oneByOne = Math.min(statements, ONE_BY_ONE_MAX);
  for (let i = 0; i < oneByOne; i++) await scene.run(i % 2 === 0 ? ana : early, `select ${i}`);
  for (let i = oneByOne; i < statements; i += GROUP) {
    const count = Math.min(GROUP, statements - i);
    const texts = Array.from({ length: count }, (_, k) => `select ${i + k}`);
    await Promise.all(texts.map((sql) => scene.run(ana, sql)));
  }
  await scene.run(ana, '-- a comment,\r\nwith "quotes" and ünïcode ✓');
  const change = {
    resource_kind: 'Access',
    name: 'search-team',
    version: 1,
    to_digest: 'ab'.repeat(32),
    changed_by: 'ana',
  };
  await scene.append({
    ...scene.event('resource.apply', 'ana', { ...change, diff: [{ path: 'may', to: ['read'] }] }),
    status: 'created',
  });
  await scene.append(
    scene.event('token.create', 'ana', {
      token_id: 'tok_1',
      owner: 'ana',
      name: 'laptop',
      created_by: 'ana',
    }),
  );
  await scene.holds(ana);
  await scene.changes(ana);
  await scene.breakGlass(ana);
  await requestsWithin(scene, ana);
  await within?.(scene, ana);
  await ledger.rotateKey(seeds[1], 'yearly', 'ops');
  const second = ledger.verifierKey;
  await scene.intent(early, 'select pg_sleep(1000)');
  await scene.end(ana);
  const to = await scene.append(
    scene.event('session.refused', 'ana', { name: 'ana', connection: 'x', reason: 'no' }),
  );
  await scene.run(early, 'after the period');
  await ledger.checkpoint();
  await scene.run(early, 'after the range');
  await ledger.close('test');

  keys.delete(secret);
  const saved: Saved = {
    keys: Object.fromEntries([...keys].map(([scope, key]) => [scope, Buffer.from(key).toString('base64')])),
    seed: Buffer.from(seeds[1]).toString('base64'),
    verifierKeys: [first, second],
    fromUs: from,
    toUs: to + 1,
  };
  writeFileSync(join(directory, 'saved.json'), JSON.stringify(saved));
}

/** The options of an export of a log that was written before. */
export function openTestingLog(directory: string): TestingExport {
  const saved: Saved = JSON.parse(readFileSync(join(directory, 'saved.json'), 'utf8'));
  const keys = new Map(Object.entries(saved.keys).map(([scope, key]) => [scope, Buffer.from(key, 'base64')]));
  return {
    reader: new LogReader(join(directory, 'ledger')),
    keys: scopeKeys(keys),
    origin: TESTING_ORIGIN,
    verifierKeys: saved.verifierKeys,
    fromUs: saved.fromUs,
    toUs: saved.toUs,
    software: 'countersign test',
    checkpointNow: () => Promise.reject(new Error('the history covers the period')),
    sign: (text) => signNote(Buffer.from(saved.seed, 'base64'), text),
  };
}

/** A note by the key of this seed, under the log's name. */
export function signNote(seed: Uint8Array, text: string, name: string = TESTING_ORIGIN): string {
  const { privateKey, publicKey } = signingKeyOf(seed);
  const { keyId } = makeVerifierKey(name, SIGNATURE_TYPE.ed25519, publicKey);
  return formatNote(text, [{ name, keyId, signature: new Uint8Array(sign(null, utf8(text), privateKey)) }]);
}

export function verifierKeyOf(seed: Uint8Array): string {
  return formatVerifierKey(
    makeVerifierKey(TESTING_ORIGIN, SIGNATURE_TYPE.ed25519, signingKeyOf(seed).publicKey),
  );
}

function seedOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(name).digest());
}

function ledgerOptions(directory: string, signingSeed: Uint8Array, keys: ScopeKeys): LedgerOptions {
  return {
    directory: join(directory, 'ledger'),
    secondPlace: join(directory, 'second'),
    origin: TESTING_ORIGIN,
    node: 'gw1',
    software: 'countersign test',
    bootId: makeId('boot', Date.now(), randomBytes(10)),
    signingSeed,
    keys,
  };
}

function scopeKeys(keys: Map<string, Uint8Array>): ScopeKeys {
  return {
    create: async (scope) => {
      const key = randomBytes(32);
      keys.set(scope, key);
      return key;
    },
    find: async (scope) => keys.get(scope),
    destroy: async (scope) => keys.delete(scope),
  };
}

/** Appends what a gateway would. */
class Scene implements MaskScene, RequestScene {
  readonly #ledger: Ledger;
  readonly #keys: Map<string, Uint8Array>;
  readonly #statements = new Map<string, number>();

  constructor(ledger: Ledger, keys: Map<string, Uint8Array>) {
    this.#ledger = ledger;
    this.#keys = keys;
  }

  event(type: string, name: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent {
    return { type, kind: 'user', actor: actorOf(name), keyId: this.#principal(name), body };
  }

  appended(event: LedgerEvent): Promise<Appended> {
    const { session, type } = event;
    if (type === 'http.intent' && session !== undefined) {
      this.#statements.set(session, (this.#statements.get(session) ?? 0) + 1);
    }
    return this.#ledger.append(event);
  }

  /** Microseconds of the leaf. */
  async append(event: LedgerEvent): Promise<number> {
    return (await this.#ledger.append(event)).timeUs;
  }

  inSession(type: string, session: string): LedgerEvent {
    return inSession(type, session);
  }

  keyOf(session: string): Uint8Array {
    const key = this.#keys.get(session);
    if (key === undefined) throw new Error('there is no such session');
    return key;
  }

  login(name: string, status: string): Promise<number> {
    const body = {
      name,
      method: 'scram',
      address: '127.0.0.1',
      port: 50_000,
      issuer: 'local',
      subject: name,
    };
    return this.append({ ...this.event('auth.login', name, body), status });
  }

  async startSession(displayName: string, name: string): Promise<string> {
    const session = makeId('session', Date.now(), randomBytes(10));
    const key = new Uint8Array(randomBytes(32));
    this.#keys.set(session, key);
    this.#ledger.openScope(session, key);
    const body = {
      name,
      display_name: displayName,
      address: '127.0.0.1',
      issuer: 'local',
      groups: ['search'],
      database: 'rerank',
    };
    await this.append({
      ...inSession('session.start', session),
      decision: 'allow',
      policy: 'cd'.repeat(32),
      body,
    });
    return session;
  }

  async intent(session: string, sql: string, said: Said = {}): Promise<number> {
    const { decision = 'allow', ...facts } = said;
    const body = { sql, protocol_message: 'Query', parameters: [{ text: 'x' }], ...facts };
    this.#statements.set(session, (this.#statements.get(session) ?? 0) + 1);
    return (await this.#ledger.append({ ...inSession('statement.intent', session), decision, body })).index;
  }

  async run(session: string, sql: string, said: Said = {}, tag = 'SELECT 3'): Promise<void> {
    await this.#outcome(session, await this.intent(session, sql, said), tag);
  }

  async #outcome(session: string, ref: number, tag: string): Promise<void> {
    const body = { rows: 3, bytes: 120, duration_us: 900, sha256: 'ef'.repeat(32), tags: [tag] };
    await this.append({ ...inSession('statement.outcome', session), ref, status: 'ok', body });
  }

  /** One that a rule allowed, one that nobody has read, and one that nobody approved and that ran. */
  async changes(session: string): Promise<void> {
    const effects = ['insert'];
    await this.run(session, 'insert into a values (1)', { effects, tables: ['a'] }, 'INSERT 0 1');
    await this.run(session, 'drop table b', {}, 'DROP TABLE');
    const held = { decision: 'hold', effects: ['delete'], reason: '=delete', tables: ['c'] } as const;
    await this.run(session, 'delete from c where true', held, 'DELETE 9');
  }

  /** A request that was approved and used, one that was denied, and one that is open. */
  async holds(session: string): Promise<void> {
    const rules = [{ rule: 'bulk', verdict: 'hold', version: 3 }];
    const said = { decision: 'hold', effects: ['update'], tables: ['rr.scores'], rules } as const;
    const intent = await this.intent(session, 'update rr.scores set boost = 1 where id < 9', said);
    const used = await this.#asked('hld_1', intent);
    const approval = {
      hold_id: 'hld_1',
      approver: 'bo',
      comment: '=yes',
      until: '2026-11-24T14:00:00.000000Z',
    };
    await this.append({ ...this.event('approval.granted', 'bo', approval), ref: used });
    const taken = {
      hold_id: 'hld_1',
      intent_leaf: intent,
      approvals: [used + 1],
      votes: [{ approver: 'bo', node: 'gw1', leaf: used + 1 }],
    };
    await this.append({ ...this.event('hold.taken', 'ana', taken), ref: used });
    await this.#outcome(session, intent, 'UPDATE 3');
    const executed = this.event('hold.executed', 'ana', { hold_id: 'hld_1', rows: 120 });
    await this.append({ ...executed, ref: used, status: 'ok' });
    const denied = await this.#asked('hld_2');
    const denial = { hold_id: 'hld_2', approver: 'bo', comment: 'no' };
    await this.append({ ...this.event('approval.denied', 'bo', denial), ref: denied });
    await this.#asked('hld_3');
  }

  /** A hold that who asked opened and that was used and reviewed, and one that nobody has looked at. */
  async breakGlass(session: string): Promise<void> {
    const said = { decision: 'hold', effects: ['update'], tables: ['rr.models'] } as const;
    const intent = await this.intent(session, 'update rr.models set stage = 2', said);
    const asked = await this.#asked('hld_4', intent);
    const used = await this.#opened('hld_4', asked);
    const taken = {
      hold_id: 'hld_4',
      intent_leaf: intent,
      votes: [],
      break_glass: { rule: 'night', node: 'gw1', leaf: used },
    };
    await this.append({ ...this.event('hold.taken', 'ana', taken), ref: asked });
    await this.#outcome(session, intent, 'UPDATE 1');
    const executed = this.event('hold.executed', 'ana', { hold_id: 'hld_4', rows: 1 });
    await this.append({ ...executed, ref: asked, status: 'ok' });
    const notice = {
      hold_id: 'hld_4',
      notice: 'breakglass.used',
      receiver: 'webhook hooks.example',
      tries: 1,
    };
    await this.append({ ...this.event('breakglass.notified', 'ana', notice), ref: used, status: 'ok' });
    const review = { hold_id: 'hld_4', reviewer: 'lea', comment: '=it was down' };
    const reviewed = this.event('breakglass.reviewed', 'lea', review);
    await this.append({ ...reviewed, ref: used, status: 'justified' });
    await this.#opened('hld_5', await this.#asked('hld_5'));
  }

  async #opened(holdId: string, ref: number): Promise<number> {
    const body = {
      hold_id: holdId,
      rule: 'night',
      rule_version: 4,
      requester: 'ana',
      reason: 'the shop is down',
      until: '2026-11-24T14:00:00.000000Z',
      reviewers: ['group:leads'],
      review_by: '2026-11-25T14:00:00.000000Z',
    };
    return (await this.#ledger.append({ ...this.event('breakglass.used', 'ana', body), ref })).index;
  }

  async #asked(holdId: string, ref?: number): Promise<number> {
    const body = {
      hold_id: holdId,
      rule: 'bulk',
      rule_version: 3,
      requester: 'ana',
      count: 1,
      approvers: ['group:owners'],
    };
    const event = {
      ...this.event('hold.asked', 'ana', body),
      decision: 'hold',
      ...(ref === undefined ? {} : { ref }),
    } as const;
    return (await this.#ledger.append(event)).index;
  }

  async end(session: string): Promise<void> {
    await this.append({
      ...inSession('session.end', session),
      status: 'ok',
      body: { reason: 'closed', statements: this.#statements.get(session) ?? 0 },
    });
    this.#ledger.closeScope(session);
  }

  #principal(name: string): string {
    const id = `prn_${createHash('sha256').update(name).digest('hex').slice(0, 26)}`;
    if (!this.#keys.has(id)) this.#keys.set(id, new Uint8Array(randomBytes(32)));
    return id;
  }
}

function inSession(type: string, session: string): LedgerEvent {
  return { type, kind: 'user', actor: actorOf(session), session, target: 'rerank', keyId: session };
}

function actorOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
