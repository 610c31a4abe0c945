/** Models behind connections: what is known of them, and a look at one now. */

import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import type { ProbedModel } from '../probes/model-probes.ts';
import type { ModelAnswer, ModelProbeAnswer, ModelRow, ModelsAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route } from './route.ts';
import { anything, counts, list, name, object, STRICT, texts } from './schemas.ts';

const PARAMS = Type.Object({ name: name('Name of the connection') }, STRICT);
const TEXTS = list(Type.String());

const ROW = {
  ...texts('connection model?'),
  ...counts('everySeconds'),
  reviewers: TEXTS,
  probes: list(
    object({
      ...texts('kind dialect answeredAt? failure?'),
      baseline: Type.Optional(object({ ...counts('leaf'), ...texts('at digest') })),
      findings: list(object({ ...counts('leaf'), ...texts('at was is') })),
    }),
  ),
};

const all = route({
  key: 'GET /v1/models',
  summary: 'Connections whose model is looked at, with what was found',
  answer: object({ models: list(object(ROW)) }),
  async handle({ ports }): Promise<ModelsAnswer> {
    return { models: (await ports.models.list()).map(rowOf) };
  },
});

const one = route({
  key: 'GET /v1/models/:name',
  summary:
    'What is known of the model behind a connection: what its service says of it, and how it answers a fixed question',
  params: PARAMS,
  answer: object({
    ...ROW,
    identity: Type.Optional(anything()),
    canary: Type.Optional(object({ order: list(Type.Integer()), scores: TEXTS, ...texts('tolerance') })),
  }),
  async handle({ ports, params }): Promise<ModelAnswer> {
    checkConnection(ports, params.name);
    const found = await ports.models.show(params.name);
    const seen = found.probes.map(({ state }) => state?.baseline.seen);
    const identity = seen.find((what) => what?.kind === 'identity');
    const canary = seen.find((what) => what?.kind === 'canary');
    return {
      ...rowOf(found),
      ...(identity === undefined ? {} : { identity: identity.identity }),
      ...(canary === undefined
        ? {}
        : { canary: { order: canary.order, scores: canary.scores, tolerance: found.connection.tolerance } }),
    };
  },
});

const probe = route({
  key: 'POST /v1/models/:name/probe',
  summary:
    'Looks at the model behind a connection now, with the credential of the connection; each look is a leaf',
  params: PARAMS,
  body: Type.Object({}, STRICT),
  answer: object({
    ...texts('connection'),
    looks: list(
      object({
        ...texts('kind status at digest? was? failure?'),
        ...counts('leaf approval?'),
        finding: Type.Boolean(),
        first: Type.Boolean(),
      }),
    ),
  }),
  async handle(input): Promise<ModelProbeAnswer> {
    const { ports, params } = input;
    checkConnection(ports, params.name);
    const { kind, actor } = await actorOf(ports, input.caller().principal);
    return { connection: params.name, looks: await ports.models.probe(params.name, { kind, actor }) };
  },
});

export const MODEL_ROUTES: readonly Route[] = [all, one, probe];

function rowOf({ connection, probes }: ProbedModel): ModelRow {
  const { name: called, model, everyMs, reviewers } = connection;
  return {
    connection: called,
    ...(model === undefined ? {} : { model }),
    everySeconds: everyMs / 1_000,
    reviewers,
    probes: probes.map(({ kind, dialect, state, failure }) => ({
      kind,
      dialect,
      ...(state === undefined
        ? {}
        : {
            baseline: {
              leaf: state.baseline.leaf,
              at: state.baseline.at,
              digest: state.baseline.seen.digest,
            },
            answeredAt: state.answered.at,
          }),
      ...(failure === undefined ? {} : { failure }),
      findings: (state?.findings ?? []).toReversed(),
    })),
  };
}

function checkConnection({ resources }: ApiPorts, connection: string): void {
  if (resources.get('Connection', connection).length > 0) return;
  throw new CountersignError('CONNECTION_UNKNOWN', { connection });
}
