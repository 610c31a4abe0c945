/** Reveals: what Masks hide, shown to somebody when others have agreed. */

import { Type } from 'typebox';
import { REVEAL_LIMITS } from '../core/reveal-limits.ts';
import { REVEALED_TYPES, REVERSIBLE } from '../reveal/masked-value.ts';
import type { RevealAsking } from '../reveal/reveals.ts';
import type { RevealedLiteralsAnswer, RevealedValueAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import { type Route, type RouteInput, route } from './route.ts';
import { anything, counts, id, object, STRICT, text, texts } from './schemas.ts';
import { findSession } from './session-index.ts';

const REASON = text(REVEAL_LIMITS.reasonCharactersMax, 'Why; approvers read it, and it stands in the leaf');

const literals = route({
  key: 'POST /v1/sessions/:id/reveal',
  summary:
    'The text and the values of one statement as they came, where they are hidden. Held until others agree, as the Masks of the session say; then the same request shows them once',
  params: Type.Object({ id: id('ses') }, STRICT),
  body: Type.Object(
    {
      leaf: Type.Integer({ minimum: 0, description: 'Index of the statement.intent or statement.prepare' }),
      reason: REASON,
    },
    STRICT,
  ),
  answer: object({
    ...counts('leaf'),
    sql: Type.Optional(anything()),
    parameters: Type.Optional(anything()),
  }),
  async handle(input): Promise<RevealedLiteralsAnswer> {
    const { ports, params, body } = input;
    const row = await findSession(ports.store, params.id, input.caller());
    const of = { session: row.id, connection: row.connection, leaf: body.leaf };
    const { value, leaf } = await ports.reveals.literals(of, await askingOf(input, body.reason));
    input.reply.header('cache-control', 'no-store');
    const { sql, parameters } = value;
    return {
      leaf,
      ...(sql === undefined ? {} : { sql }),
      ...(parameters === undefined ? {} : { parameters }),
    };
  },
});

const value = route({
  key: 'POST /v1/masking/reveal',
  summary:
    'What a masked value stands for, of operators that can be undone. Held until others agree, as every Mask says that would make such a value; then the same request shows it once',
  body: Type.Object(
    {
      value: text(REVEAL_LIMITS.maskedValueCharactersMax, 'The masked value, whole'),
      operator: Type.Optional(Type.Enum([...REVERSIBLE], { description: 'token where left out' })),
      entity: Type.Optional(
        text(40, 'What the values are; a token says it itself. COLUMN where nothing does'),
      ),
      type: Type.Optional(Type.Enum([...REVEALED_TYPES], { description: 'text where left out' })),
      key: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 255, description: 'Masking key, where the value does not say' }),
      ),
      reason: REASON,
    },
    STRICT,
  ),
  answer: object({ ...counts('leaf'), ...texts('value') }),
  async handle(input): Promise<RevealedValueAnswer> {
    const { ports, body } = input;
    const masked = {
      value: body.value,
      operator: body.operator ?? 'token',
      entity: body.entity,
      type: body.type ?? 'text',
      keyId: body.key,
    } as const;
    const { value: clear, leaf } = await ports.reveals.value(masked, await askingOf(input, body.reason));
    input.reply.header('cache-control', 'no-store');
    return { leaf, value: clear };
  },
});

export const REVEAL_ROUTES: readonly Route[] = [literals, value];

async function askingOf(
  { ports, caller, peer }: Pick<RouteInput, 'ports' | 'caller' | 'peer'>,
  reason: string,
): Promise<RevealAsking> {
  const { principal } = caller();
  return {
    requester: principal,
    address: peer.address,
    reason: reason.toWellFormed(),
    actor: await actorOf(ports, principal),
  };
}
