/** What `otherwise` of a Connection may say, and what it comes to for whom. */

import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import type { Otherwise } from '../policy/otherwise.ts';
import { viewAfter, planApply } from './plan.ts';
import { parseResources } from './parse.ts';
import { referenceProblems } from './references.ts';
import { ResourceView } from './view.ts';

const PEOPLE = `
{ kind: Person, name: ana, displayName: Ana }
---
{ kind: Person, name: bo, displayName: Bo }
---
{ kind: Person, name: cy, displayName: Cy }
---
{ kind: ServiceAccount, name: nightly }
---
{ kind: Group, name: owners, members: [ana, bo, "service:nightly"] }
---
{ kind: Access, name: all, who: [ana, cy, "service:nightly"], to: [store] }
`;

function connection(more: string): string {
  return `{ kind: Connection, name: store, protocol: http, target: { url: "https://store.example" }, credential: { scheme: none }, ${more} }`;
}

function viewOf(more: string, people = PEOPLE): ResourceView {
  const documents = parseResources(`${people}\n---\n${connection(more)}`);
  return viewAfter(new ResourceView([]), planApply(documents, new ResourceView([]), new Map()));
}

function otherwiseFor(name: string, more: string, people = PEOPLE): Otherwise | undefined {
  return viewOf(more, people).ruling({ name }, 'store', 'http')?.allowance.otherwise;
}

function problems(more: string): readonly string[] {
  return referenceProblems(viewOf(more)).map(({ reason }) => reason);
}

/** Why it is refused. */
function refusalOf(more: string): string {
  try {
    parseResources(connection(more));
    return '';
  } catch (error) {
    return error instanceof CountersignError ? error.message : String(error);
  }
}

describe('otherwise', () => {
  it('has those asked whom it names, under the name and version of its connection', () => {
    const found = otherwiseFor('cy', 'otherwise: { hold: { approvers: [group:owners], count: 2 } }');
    expect(found).toMatchObject({
      kind: 'hold',
      rule: { name: 'connection:store', version: 1, hold: { approvers: ['group:owners'], count: 2 } },
    });
  });

  it.each([
    ['who asks is one of too few', 'ana', 'otherwise: { hold: { approvers: [group:owners], count: 2 } }', 1],
    ['who asks is the only one', 'cy', 'otherwise: { hold: { approvers: [cy] } }', 0],
    [
      'a service account counts as nobody',
      'cy',
      'otherwise: { hold: { approvers: [group:owners], count: 3 } }',
      2,
    ],
  ])('blocks where %s', (_, asker, more, able) => {
    const found = otherwiseFor(asker, more);
    expect(found).toMatchObject({ kind: 'block', why: expect.stringContaining(`, and ${able} may`) });
  });

  it('counts nobody who is disabled', () => {
    const people = PEOPLE.replace('displayName: Bo', 'displayName: Bo, disabled: true');
    const more = 'otherwise: { hold: { approvers: [group:owners], count: 2 } }';
    expect(otherwiseFor('cy', more, people)).toMatchObject({ kind: 'block' });
  });

  it('says of a service that is known what would have somebody asked', () => {
    for (const dialect of ['qdrant', 'cohere-v2', 'pinecone', 'tei']) {
      const found = otherwiseFor('cy', `dialect: ${dialect}`);
      expect([dialect, found]).toEqual([
        dialect,
        { kind: 'block', why: expect.stringContaining('otherwise on its Connection') },
      ]);
    }
  });

  it('leaves what nobody said of a plain service as it is', () => {
    expect(otherwiseFor('cy', 'labels: {}')).toBeUndefined();
    expect(otherwiseFor('cy', 'dialect: http')).toBeUndefined();
  });

  it('is refused where it says nothing that could be held', () => {
    expect(refusalOf('otherwise: { hold: { approvers: [] } }')).toMatch(/approvers/);
    expect(refusalOf('otherwise: { hold: { approvers: ["service:nightly"] } }')).toMatch(/approvers/);
    expect(refusalOf('otherwise: { hold: { approvers: [bo], count: 0 } }')).toMatch(/count/);
    expect(refusalOf('otherwise: { hold: { approvers: [bo], expires: soon } }')).toMatch(
      /otherwise\.hold\.expires/,
    );
    expect(refusalOf('otherwise: { hold: { approvers: [bo], inTransaction: wait } }')).toMatch(
      /inTransaction/,
    );
    expect(refusalOf('otherwise: allow')).toMatch(/otherwise/);
    expect(refusalOf('otherwise: { allow: true }')).toMatch(/otherwise/);
  });

  it('names people and groups that are there', () => {
    expect(problems('otherwise: { hold: { approvers: [bo] } }')).toEqual([]);
    expect(problems('otherwise: { hold: { approvers: [nobody] } }')).toEqual(['there is no person "nobody"']);
    expect(problems('otherwise: { hold: { approvers: ["group:none"] } }')).toEqual([
      'there is no group "none"',
    ]);
  });

  it('is a part of what decides, so that an approval ends where it is changed', () => {
    const one = viewOf('otherwise: { hold: { approvers: [bo] } }');
    const other = viewOf('otherwise: { hold: { approvers: [ana] } }');
    expect(one.bundle()).not.toBe(other.bundle());
    expect(one.deciding({ name: 'cy' }, 'store')).not.toBe(other.deciding({ name: 'cy' }, 'store'));
  });
});
