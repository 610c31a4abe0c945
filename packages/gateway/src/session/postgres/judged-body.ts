/**
 * What a decision puts into the body of an intent.
 *
 * Spec: spec/events.md, `statement.intent`: `effects`, `tables`, `rules`, `reason`, `token_ranges`.
 */

import type { ReadText } from '../../core/effects.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Judgement, MaskWords } from './inspection.ts';

type Body = Record<string, BodyValue>;

/** Of a text, which is the same each time it runs. */
const knownFacts = new WeakMap<ReadText, Body>();

/** Effects and written tables, and why it is blocked or held. */
export function judgedBody(judgement: Judgement): Body {
  const { read, decision: decided, stated: decision = decided, estimatedRows, masks } = judgement;
  const facts: Body = {
    ...factsOf(read),
    ...(estimatedRows === undefined ? {} : { estimated_rows: estimatedRows }),
    ...(masks === undefined ? {} : masksBody(masks)),
  };
  if (decision.kind === 'allow') return facts;
  const causes = decision.causes.slice(0, LIMITS.policy.causesMax);
  return {
    ...facts,
    rules: causes.map(({ rule, version, verdict }) => ({ rule, version, verdict })),
    reason: causes.map(({ what }) => what).join('; '),
    token_ranges: causes.map(({ from, to }) => [from, to]),
  };
}

function masksBody({ applied, recorded }: MaskWords): Body {
  const stated = recorded.slice(0, LIMITS.policy.causesMax);
  return {
    masks: applied.map(({ mask, version }) => ({ mask, version })),
    ...(stated.length === 0
      ? {}
      : {
          predicate_on_masked: stated.map(({ mask, version, column = '', use }) => ({
            mask,
            version,
            column,
            use,
          })),
        }),
  };
}

function factsOf(read: ReadText): Body {
  const before = knownFacts.get(read);
  if (before !== undefined) return before;
  const facts = read.kind === 'read' ? statementsOf(read) : { effects: ['unknown'] };
  knownFacts.set(read, facts);
  return facts;
}

function statementsOf({ statements }: Extract<ReadText, { readonly kind: 'read' }>): Body {
  const effects = new Set(statements.flatMap((statement) => statement.effects.map(({ effect }) => effect)));
  const tables = new Set(
    statements.flatMap(({ writes }) =>
      writes.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`)),
    ),
  );
  return { effects: [...effects], ...(tables.size === 0 ? {} : { tables: [...tables] }) };
}
