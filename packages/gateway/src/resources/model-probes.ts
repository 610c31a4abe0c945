/** What a Connection of HTTP says of looks at its model, as JSON Schema, and which combinations mean nothing. */

import { type TSchema, Type } from 'typebox';
import type { SchemaProblem } from '../config/check-schema.ts';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import { parseDurationMs, PatternProblem } from '../policy/patterns.ts';
import { CANARY_DIALECTS, canaryNeedsModel } from '../protocols/http/operations/canary.ts';
import { IDENTITY_PROBES, namesModel } from '../protocols/http/operations/identity-probes.ts';

const STRICT = { additionalProperties: false } as const;
const REVIEWER = '^(group:)?[a-z0-9][a-z0-9_.@-]{0,62}$';

/** Looks at the model behind a connection; off unless one of `identity` and `canary` is named. */
export interface ModelProbes {
  /** Dialect in which the service is asked which model it runs. */
  readonly identity?: string;
  /** Dialect in which a fixed question is put to it. */
  readonly canary?: string;
  /** The model that is asked for. */
  readonly model?: string;
  /** Between two looks, as `15m`. */
  readonly every: string;
  /** Difference of two scores that is noise, as `0.001`; only beside a canary. */
  readonly tolerance?: string;
  /** Who is told of a change that nobody had agreed to. */
  readonly reviewers: readonly string[];
}

export const MODEL_PROBES_SCHEMA: TSchema = Type.Object(
  {
    identity: Type.Optional(Type.Enum([...IDENTITY_PROBES.keys()])),
    canary: Type.Optional(Type.Enum([...CANARY_DIALECTS])),
    model: Type.Optional(Type.String({ pattern: '^[!-~]+$', maxLength: 256 })),
    every: Type.String({ default: '1h', maxLength: 8 }),
    tolerance: Type.Optional(Type.String({ pattern: '^0([.][0-9]{1,6})?$' })),
    reviewers: Type.Array(Type.String({ pattern: REVIEWER, maxLength: 200 }), {
      minItems: 1,
      maxItems: LIMITS.reviewersMax,
      uniqueItems: true,
    }),
  },
  STRICT,
);

/**
 * Everything that would make a look mean nothing, at its place.
 *
 * @param scheme how the connection's target is shown who asks; undefined of a database
 */
export function probeProblems(
  probes: ModelProbes | undefined,
  scheme: string | undefined,
): readonly SchemaProblem[] {
  if (probes === undefined) return [];
  const { identity, canary, model, tolerance } = probes;
  const identityProbe = identity === undefined ? undefined : IDENTITY_PROBES.get(identity);
  const asking = [
    ...(identityProbe !== undefined && namesModel(identityProbe) ? [`identity: ${identity ?? ''}`] : []),
    ...(canary !== undefined && canaryNeedsModel(canary) ? [`canary: ${canary}`] : []),
  ];
  return [
    ...(scheme === 'sigv4'
      ? [at('', 'probes are not signed, and the target takes nothing else: every look would be unknown')]
      : []),
    ...(identity === undefined && canary === undefined
      ? [at('', 'probes says neither identity nor canary, so that nothing would be looked at')]
      : []),
    ...(model === undefined && asking.length > 0
      ? [at('', `probes.model is missing, and ${asking.join(' and ')} asks for one`)]
      : []),
    ...(tolerance !== undefined && canary === undefined
      ? [at('tolerance', 'probes.tolerance is of a canary, and there is none')]
      : []),
    ...everyProblems(probes),
    ...toleranceProblems(tolerance),
  ];
}

function everyProblems({ every }: ModelProbes): readonly SchemaProblem[] {
  const { everyMsMin, everyMsMax } = LIMITS;
  try {
    const ms = parseDurationMs(every);
    if (ms >= everyMsMin && ms <= everyMsMax) return [];
    return [
      at(
        'every',
        `probes.every is ${everyMsMin / 60_000} minute at least and ${everyMsMax / 3_600_000} hours at most`,
      ),
    ];
  } catch (error) {
    if (error instanceof PatternProblem) return [at('every', `probes.every: ${error.message}`)];
    throw error;
  }
}

function toleranceProblems(tolerance: string | undefined): readonly SchemaProblem[] {
  if (tolerance === undefined || Number(tolerance) <= LIMITS.toleranceMax) return [];
  return [
    at(
      'tolerance',
      `probes.tolerance is ${LIMITS.toleranceMax} at most: beyond it, another model looks like the same`,
    ),
  ];
}

function at(key: string, says: string): SchemaProblem {
  return { path: key === '' ? ['probes'] : ['probes', key], says };
}
