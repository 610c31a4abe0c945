/** A ledger of the gateway's own class without a gateway around it: the durable path alone. */

import { createHash, randomBytes, sign } from 'node:crypto';
import { join } from 'node:path';
import { Ledger } from '../../packages/gateway/src/audit/ledger.ts';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import type { BodyValue, LedgerEvent, ScopeKeys } from '../../packages/gateway/src/core/ledger-port.ts';
import { signingKeyOf } from '../../packages/gateway/src/keys/signing-key.ts';
import { utf8 } from '../../packages/ledger/src/bytes.ts';
import { formatNote, makeVerifierKey, SIGNATURE_TYPE } from '../../packages/ledger/src/note.ts';

export const ORIGIN = 'countersign.local/ledger/gw1';

/** What a reranking query leaves in its intent. */
export const INTENT_BODY = {
  sql: 'select d.id, d.title, s.score from rr.documents d join rr.ranking_scores s on s.document_id = d.id where s.query_id = $1 order by s.score desc limit 10',
  parameters: [{ text: '4711' }],
  parameter_types: [23],
  protocol_message: 'Execute',
} as const satisfies Readonly<Record<string, BodyValue>>;

const OUTCOME_BODY = {
  rows: 10,
  bytes: 1_240,
  duration_us: 900,
  sha256: 'ef'.repeat(32),
  tags: ['SELECT 10'],
} as const satisfies Readonly<Record<string, BodyValue>>;

export class OwnLedger {
  readonly ledger: Ledger;
  readonly directory: string;
  readonly keys: ScopeKeys;
  readonly #signingSeed: Uint8Array;

  private constructor(ledger: Ledger, directory: string, keys: ScopeKeys, signingSeed: Uint8Array) {
    this.ledger = ledger;
    this.directory = directory;
    this.keys = keys;
    this.#signingSeed = signingSeed;
  }

  static async open(parent: string): Promise<OwnLedger> {
    const directory = join(parent, 'ledger');
    const signingSeed = randomBytes(32);
    const keys = scopeKeys();
    const ledger = await Ledger.open({
      directory,
      secondPlace: join(parent, 'second'),
      origin: ORIGIN,
      node: 'gw1',
      software: 'bench',
      bootId: makeId('boot', Date.now(), randomBytes(10)),
      signingSeed,
      keys,
    });
    return new OwnLedger(ledger, directory, keys, signingSeed);
  }

  async startSession(): Promise<string> {
    const session = makeId('session', Date.now(), randomBytes(10));
    this.ledger.openScope(session, await this.keys.create(session));
    await this.ledger.append({
      ...inSession('session.start', session),
      decision: 'allow',
      policy: 'cd'.repeat(32),
      body: {
        name: 'ana',
        display_name: 'Ana',
        address: '127.0.0.1',
        issuer: 'local',
        groups: ['search'],
        database: 'rerank',
      },
    });
    return session;
  }

  /** Resolves when the intent is durable; gives its index. */
  async intent(session: string): Promise<number> {
    const event = { ...inSession('statement.intent', session), decision: 'allow', body: INTENT_BODY };
    return (await this.ledger.append(event)).index;
  }

  async outcome(session: string, ref: number): Promise<void> {
    await this.ledger.append({
      ...inSession('statement.outcome', session),
      ref,
      status: 'ok',
      body: OUTCOME_BODY,
    });
  }

  async endSession(session: string, statements: number): Promise<void> {
    await this.ledger.append({
      ...inSession('session.end', session),
      status: 'ok',
      body: { reason: 'closed', statements },
    });
    this.ledger.closeScope(session);
  }

  /** A signed note by the log's key. */
  sign(text: string): string {
    const { privateKey, publicKey } = signingKeyOf(this.#signingSeed);
    const { keyId } = makeVerifierKey(ORIGIN, SIGNATURE_TYPE.ed25519, publicKey);
    const signature = new Uint8Array(sign(null, utf8(text), privateKey));
    return formatNote(text, [{ name: ORIGIN, keyId, signature }]);
  }
}

function inSession(type: string, session: string): LedgerEvent {
  const actor = createHash('sha256').update(session).digest('hex').slice(0, 32);
  return { type, kind: 'user', actor, session, target: 'reranker-db', keyId: session };
}

function scopeKeys(): ScopeKeys {
  const keys = new Map<string, Uint8Array>();
  return {
    create: async (scope) => {
      const made = new Uint8Array(randomBytes(32));
      keys.set(scope, made);
      return made;
    },
    find: async (scope) => keys.get(scope),
    destroy: async (scope) => keys.delete(scope),
  };
}
