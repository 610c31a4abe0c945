/** The ledger for those who run it: its state, proofs, and the shredding of a session. */

import { parseCheckpoint } from '@countersign/ledger/checkpoint';
import { Type } from 'typebox';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import type { LedgerStatusAnswer, ShredAnswer } from './answers.ts';
import { proveLeaf } from './inclusion-proof.ts';
import { actorOf } from './leaf-actor.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route } from './route.ts';
import { counts, decimal, id, object, reason, STRICT, texts } from './schemas.ts';
import { findSession } from './session-index.ts';

const status = route({
  key: 'GET /v1/ledger/status',
  summary: 'Size, newest checkpoint and verifier key of the log',
  answer: object({
    ...texts('node origin software verifierKey status reason?'),
    ...counts('size signedSize'),
  }),
  async handle({ ports }): Promise<LedgerStatusAnswer> {
    const { node, origin, software, ledger, reader } = ports;
    const note = await reader.checkpoint();
    const { halted, size, verifierKey } = ledger;
    const signedSize = note === undefined ? 0 : parseCheckpoint(note).size;
    const state = { node, origin, software, verifierKey, size, signedSize };
    return halted === undefined
      ? { ...state, status: 'ok' }
      : { ...state, status: 'halted', reason: halted.message };
  },
});

const proof = route({
  key: 'GET /v1/ledger/proof/:index',
  summary: 'The proof that a leaf is in the log: c2sp.org/tlog-proof',
  params: Type.Object({ index: decimal('Index of the leaf') }, STRICT),
  answer: { contentType: 'text/plain', description: 'A tlog-proof file.' },
  async handle({ ports, params, reply }): Promise<string> {
    const index = Number(params.index);
    if (index >= ports.ledger.size) throw new CountersignError('NOT_FOUND', { what: `leaf ${index}` });
    let note = await ports.reader.checkpoint();
    // The newest leaves wait for their checkpoint up to a second.
    if (note === undefined || parseCheckpoint(note).size <= index) note = await ports.ledger.checkpoint();
    reply.header('content-type', 'text/plain; charset=utf-8');
    return proveLeaf(ports.reader, index, note);
  },
});

const shred = route({
  key: 'POST /v1/ledger/shred',
  summary: 'Make the bodies and the recording of a session unreadable for good; every proof stays valid',
  body: Type.Object({ session: id('ses'), reason: reason() }, STRICT),
  answer: object({ ...texts('session'), ...counts('leaf') }),
  async handle(input): Promise<ShredAnswer> {
    const { ports, body } = input;
    const { principal } = input.caller();
    const { id: session } = await findSession(ports.store, body.session, input.caller());
    checkClosed(ports, session);
    const key = await ports.scopeKeys.find(session);
    if (key === undefined) throw new CountersignError('SHREDDED', { session });
    key.fill(0);
    const event = {
      type: 'ledger.shred',
      ...(await actorOf(ports, principal)),
      body: {
        scope: session,
        what: 'bodies and recording of the session',
        reason: body.reason.toWellFormed(),
        requested_by: principal.name,
      },
    };
    // The leaf is signed first: a key that is gone without a word would look like a loss.
    const { index: leaf } = await ports.ledger.append({ ...event, status: 'ok' });
    ports.ledger.closeScope(session);
    await destroy(ports, session, { ...event, status: 'failed' });
    return { session, leaf };
  },
});

export const LEDGER_ROUTES: readonly Route[] = [status, proof, shred];

function checkClosed(ports: ApiPorts, session: string): void {
  if (ports.sessions.get(parseId('session', session)) === undefined) return;
  throw new CountersignError('SESSION_OPEN', { session, what: 'it is shredded' });
}

/** Where the key could not be destroyed, a second leaf takes the first one back. */
async function destroy(ports: ApiPorts, session: string, failed: LedgerEvent): Promise<void> {
  try {
    await ports.scopeKeys.destroy(session);
  } catch (thrown) {
    const why = `the key was not destroyed: ${reasonOf(thrown)}`.slice(0, 500);
    await ports.ledger.append({ ...failed, body: { ...failed.body, reason: why } });
    throw thrown;
  }
}
