/** One's second factor, and for administrators the end of somebody else's. */

import { Type } from 'typebox';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import type { FactorOwner } from '../identity/factor-changes.ts';
import type { FactorOfferAnswer } from './answers.ts';
import { changerOf } from './leaf-actor.ts';
import { type Route, route, type RouteInput } from './route.ts';
import { name, object, OTP, reason, STRICT, texts } from './schemas.ts';

const PASSWORD = Type.String({ maxLength: LIMITS.identity.passwordBytesMax });

const enrol = route({
  key: 'POST /v1/totp',
  summary: 'A secret for an authenticator app, shown once; it counts when a first code has confirmed it',
  body: Type.Object({ password: PASSWORD }, STRICT),
  answer: object(texts('uri expiresAt')),
  status: 201,
  async handle(input): Promise<FactorOfferAnswer> {
    const { ports, body } = input;
    const offer = await ports.identity.factorChanges.enrol(ownerOf(input), new Secret(body.password));
    return { uri: offer.uri.reveal(), expiresAt: formatTimeUs(offer.expiresUs) };
  },
});

const confirm = route({
  key: 'POST /v1/totp/confirm',
  summary:
    'The first code of it; from here on a login needs one, and those by a password alone end but for this one',
  body: Type.Object({ otp: OTP }, STRICT),
  answer: object({ confirmed: Type.Boolean() }),
  async handle(input): Promise<{ readonly confirmed: boolean }> {
    await input.ports.identity.factorChanges.confirm(ownerOf(input), new Secret(input.body.otp));
    return { confirmed: true };
  },
});

const remove = route({
  key: 'POST /v1/totp/remove',
  summary:
    'Remove it, one’s own with password and code; tokens that say it was used, and sessions under them, end',
  body: Type.Object(
    {
      owner: Type.Optional(name('Whose, for administrators; oneself where absent')),
      password: Type.Optional(PASSWORD),
      otp: Type.Optional(OTP),
      reason: Type.Optional(reason()),
    },
    STRICT,
  ),
  answer: object({ removed: Type.Boolean() }),
  async handle(input): Promise<{ readonly removed: boolean }> {
    const { ports, body } = input;
    const { principal } = input.caller();
    const why = body.reason ?? 'by request';
    if (body.owner !== undefined && body.owner !== principal.name) {
      await removeOther(input, body.owner, why);
    } else {
      if (body.password === undefined || body.otp === undefined) {
        const needed = 'expected the password and a code: both are needed to remove one’s own second factor';
        throw new CountersignError('REQUEST_INVALID', { reason: needed });
      }
      const proof = { password: new Secret(body.password), code: new Secret(body.otp) };
      await ports.identity.factorChanges.removeOwn(ownerOf(input), proof, why);
    }
    return { removed: true };
  },
});

export const SECOND_FACTOR_ROUTES: readonly Route[] = [enrol, confirm, remove];

/** A rule on changes of people may hold it until others agree. */
async function removeOther(
  input: Pick<RouteInput, 'ports' | 'caller' | 'peer'>,
  owner: string,
  why: string,
): Promise<void> {
  const { ports, peer } = input;
  const { principal, mayOthers } = input.caller();
  if (!mayOthers) {
    const action = 'remove the second factor of others';
    throw new CountersignError('PERMISSION_DENIED', { principal: principal.name, action });
  }
  const { principals, factorChanges } = ports.identity;
  const record = await principals.findByName(owner);
  if (record === undefined) throw new CountersignError('NOT_FOUND', { what: 'person of this name' });
  await factorChanges.found(record);
  const act = { kind: 'Person', name: owner, action: 'second-factor' } as const;
  const facts = { diff: [{ path: 'secondFactor', from: 'totp' }] };
  const how = { reason: why, address: peer.address };
  await ports.resources.letIn(act, facts, await changerOf(input), () =>
    factorChanges.remove(record, principal, how),
  );
}

function ownerOf({ caller, peer }: Pick<RouteInput, 'caller' | 'peer'>): FactorOwner {
  const { principal, tokenId } = caller();
  return { principal, tokenId: parseId('token', tokenId), peer };
}
