import { describe, expect, it } from 'vitest';
import { parseYaml } from '../config/yaml.ts';
import type { ResourceDocument } from './documents.ts';
import { guardsHolding } from './guards.ts';
import { parseResource, resourceProblems } from './parse.ts';
import { planApply, planDelete, viewAfter } from './plan.ts';
import { referenceProblems } from './references.ts';
import { ResourceView } from './view.ts';

const WORLD = `
{ kind: Person, name: ana, displayName: Ana }
---
{ kind: Person, name: bo, displayName: Bo }
---
kind: Connection
name: db
protocol: postgres
target: { host: h, database: d }
credential: { user: u, password: { sealed: true } }
---
{ kind: Access, name: all, who: [ana, bo], to: [db] }
`;
const STAFF = "{ kind: Detector, name: staff, pattern: 'EMP-[0-9]{6}' }";
const LIST = '{ kind: Detector, name: list, exact: [canary one, canary two] }';

function parsed(...texts: readonly string[]): readonly ResourceDocument[] {
  return texts.flatMap((text) => {
    const result = parseYaml(text);
    if (result.kind === 'problem') throw new Error(result.problem);
    return result.documents.map(parseResource);
  });
}

function viewOf(...texts: readonly string[]): ResourceView {
  const before = new ResourceView([]);
  return viewAfter(before, planApply(parsed(WORLD, ...texts), before, new Map()));
}

function maskOf(...words: readonly string[]): string {
  return `{ kind: Mask, name: m, detect: [${words.map((word) => `"${word}"`).join(', ')}], as: redact, unless: [bo] }`;
}

describe('a Detector as a resource', () => {
  it('is taken as it is written, and refused with what is wrong and where', () => {
    expect(parsed(STAFF)).toEqual([{ kind: 'Detector', name: 'staff', pattern: 'EMP-[0-9]{6}' }]);
    expect(() => parsed('{ kind: Detector, name: d, pattern: "(a)\\\\1" }')).toThrow('references back');
    expect(() => parsed('{ kind: Detector, name: d, regex: a }')).toThrow('has no key "regex"');
    expect(() => parsed('{ kind: Detector, name: d, exact: [a, a] }')).toThrow('exact');
    const wrong = resourceProblems({ kind: 'Detector', name: 'd', exact: ['a', ' b'] });
    expect(wrong.map(({ path }) => path)).toEqual([['exact', '1']]);
  });

  it('has to be there where a Mask looks for it, and stays as long as one does', () => {
    const reasons = (...texts: readonly string[]): readonly string[] =>
      referenceProblems(viewOf(...texts)).map(({ reason }) => reason);
    expect(reasons(STAFF, maskOf('custom:staff'), LIST)).toEqual([]);
    expect(reasons(maskOf('all'))).toEqual([]);
    expect(reasons(maskOf('custom:staff'))).toEqual(['there is no Detector "staff"']);
    expect(reasons(maskOf('custom'))).toEqual([
      'there is no Detector, and detect: [custom] would find nothing',
    ]);
    const view = viewOf(STAFF, maskOf('custom:staff'));
    const stored = view.find('Detector', 'staff');
    if (stored === undefined) throw new Error('it is not there');
    expect(referenceProblems(viewAfter(view, [planDelete(stored)]))).toHaveLength(1);
    expect(() => parsed(maskOf('custom:Staff'))).toThrow('is nothing that is detected');
  });

  it('is bounded together with all others', () => {
    const many = Array.from({ length: 257 }, (_, n) => STAFF.replace('staff', `d${n}`));
    expect(referenceProblems(viewOf(...many))).toMatchObject([
      { kind: 'Detector', reason: expect.stringContaining('256') },
    ]);
  });

  it('is a part of what decides where a Mask looks for it, and of the policy', () => {
    const before = viewOf(STAFF, maskOf('custom'));
    const after = viewOf(STAFF.replace('EMP', 'STAFF'), maskOf('custom'));
    expect(after.deciding({ name: 'ana' }, 'db')).not.toBe(before.deciding({ name: 'ana' }, 'db'));
    expect(after.deciding({ name: 'bo' }, 'db')).toBe(before.deciding({ name: 'bo' }, 'db'));
    expect(after.bundle()).not.toBe(before.bundle());
    // Whoever has no Detectors has the digests of versions that had none.
    expect(viewOf(maskOf('all')).deciding({ name: 'ana' }, 'db')).not.toContain('detectors');
    expect(viewOf(STAFF, maskOf('email')).deciding({ name: 'ana' }, 'db')).not.toContain('detectors');
  });

  it('has no value of its lists in what changed of it', () => {
    const view = viewOf(LIST, STAFF);
    const [list, staff] = planApply(
      parsed(LIST.replace('canary two', 'canary three'), STAFF.replace('6', '7')),
      view,
      new Map([
        ['Detector/list', 1],
        ['Detector/staff', 1],
      ]),
    );
    expect(list).toMatchObject({ action: 'updated', version: 2 });
    expect(list?.diff.map(({ path }) => path)).toEqual(['exact.sha256']);
    expect(JSON.stringify(list?.diff)).not.toContain('canary');
    expect(staff?.diff).toEqual([{ path: 'pattern', from: 'EMP-[0-9]{6}', to: 'EMP-[0-9]{7}' }]);
    const made = planApply(parsed(LIST), new ResourceView([]), new Map());
    expect(made[0]?.diff.map(({ path }) => path)).toEqual(['exact.sha256', 'exact.values', 'kind', 'name']);
    expect(JSON.stringify(made[0]?.diff)).not.toContain('canary');
  });

  it('is held where a rule holds changes of Detectors', () => {
    const guard =
      '{ kind: Rule, name: guard, when: { changes: [Detector] }, then: { hold: { approvers: [bo] } } }';
    const before = viewOf(LIST, guard);
    const acts = [{ kind: 'Detector', name: 'list', action: 'updated' }] as const;
    const held = guardsHolding({ before, after: before, acts, by: 'ana' });
    expect(held.map(({ what }) => what)).toEqual(['Detector "list" is updated']);
  });
});
