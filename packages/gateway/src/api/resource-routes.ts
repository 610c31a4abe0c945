/** What may be reached and by whom: reading, comparing and changing resources. */

import { Type } from 'typebox';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { locateResources, parseKind } from '../resources/parse.ts';
import { withLines } from '../resources/placed-error.ts';
import type { Holding } from '../resources/guards.ts';
import type { PlannedChange } from '../resources/plan.ts';
import type { StoredResource } from '../resources/view.ts';
import type {
  ChangeRow,
  ChangesAnswer,
  DiffAnswer,
  HeldByRow,
  ResourceRow,
  ResourcesAnswer,
} from './answers.ts';
import { changerOf } from './leaf-actor.ts';
import { type Route, route } from './route.ts';
import { anything, counts, list, name, object, STRICT, text, texts } from './schemas.ts';

const KIND = text(32, 'Person, Group, ServiceAccount, Connection, Access, Rule, Mask or Detector');
const BODY = Type.Object(
  { text: Type.String({ maxLength: LIMITS.resources.textBytesMax, description: 'YAML documents' }) },
  STRICT,
);
const RESOURCES = object({
  resources: list(
    object({ ...texts('kind name digest changedAt changedBy'), ...counts('version'), document: anything() }),
  ),
});
const CHANGE = object({
  ...texts('kind name action'),
  ...counts('version'),
  diff: list(object({ path: Type.String(), from: Type.Optional(anything()), to: Type.Optional(anything()) })),
});

const getKind = route({
  key: 'GET /v1/resources/:kind',
  summary: 'All resources of a kind',
  params: Type.Object({ kind: KIND }, STRICT),
  answer: RESOURCES,
  async handle({ ports, params }): Promise<ResourcesAnswer> {
    return { resources: ports.resources.get(parseKind(params.kind)).map(resourceRow) };
  },
});

const getOne = route({
  key: 'GET /v1/resources/:kind/:name',
  summary: 'One resource',
  params: Type.Object({ kind: KIND, name: name('Name of the resource') }, STRICT),
  answer: RESOURCES,
  async handle({ ports, params }): Promise<ResourcesAnswer> {
    const found = ports.resources.get(parseKind(params.kind), params.name);
    if (found.length === 0) {
      throw new CountersignError('NOT_FOUND', { what: `${params.kind} "${params.name}"` });
    }
    return { resources: found.map(resourceRow) };
  },
});

const diff = route({
  key: 'POST /v1/resources/diff',
  summary: 'What apply would change, and which rules would hold it',
  body: BODY,
  answer: object({
    changes: list(CHANGE),
    heldBy: list(
      object({ ...texts('rule what'), ...counts('version count'), approvers: list(Type.String()) }),
    ),
  }),
  async handle(input): Promise<DiffAnswer> {
    const { resources } = input.ports;
    const changer = await changerOf(input);
    return withLines(locateResources(input.body.text), (documents) => ({
      changes: resources.diff(documents).map(changeRow),
      heldBy: resources.heldBy(documents, changer).map(heldByRow),
    }));
  },
});

const apply = route({
  key: 'POST /v1/resources/apply',
  summary: 'Make or change resources: all of them or none, each a leaf with its diff',
  body: BODY,
  answer: object({ changes: list(CHANGE) }),
  async handle(input): Promise<ChangesAnswer> {
    const { ports, body } = input;
    const changer = await changerOf(input);
    const changes = await withLines(locateResources(body.text), (documents) =>
      ports.resources.apply(documents, changer),
    );
    return { changes: changes.map(changeRow) };
  },
});

const remove = route({
  key: 'DELETE /v1/resources/:kind/:name',
  summary: 'Delete a resource that no other names',
  params: Type.Object({ kind: KIND, name: name('Name of the resource') }, STRICT),
  answer: object({ changes: list(CHANGE) }),
  async handle(input): Promise<ChangesAnswer> {
    const { ports, params } = input;
    const changer = await changerOf(input);
    const change = await ports.resources.delete(parseKind(params.kind), params.name, changer);
    return { changes: [changeRow(change)] };
  },
});

const setPassword = route({
  key: 'PUT /v1/connections/:name/password',
  summary: 'Set the password of a connection whose credential is sealed; nobody can read it back',
  params: Type.Object({ name: name('Name of the connection') }, STRICT),
  body: Type.Object({ password: Type.String({ maxLength: LIMITS.resources.passwordBytesMax }) }, STRICT),
  answer: object(texts('connection')),
  async handle(input): Promise<{ readonly connection: string }> {
    const { ports, params, body } = input;
    const changer = await changerOf(input);
    await ports.resources.setPassword(params.name, new Secret(body.password), changer);
    return { connection: params.name };
  },
});

export const RESOURCE_ROUTES: readonly Route[] = [getKind, getOne, diff, apply, remove, setPassword];

function resourceRow({ document, version, digest, changedUs, changedBy }: StoredResource): ResourceRow {
  const { kind, name: own } = document;
  return { kind, name: own, version, digest, changedAt: formatTimeUs(changedUs), changedBy, document };
}

function heldByRow({ rule, version, terms, what }: Holding): HeldByRow {
  const { approvers, count } = terms;
  return { rule: rule.name, version, what, approvers, count };
}

function changeRow({ kind, name: own, action, version, diff: entries }: PlannedChange): ChangeRow {
  return { kind, name: own, action, version, diff: entries };
}
