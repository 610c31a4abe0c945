import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countApprovers, type Human, refusalOf } from './approvers.ts';

const ASKER = { id: 'prn_a', issuer: 'local', subject: 'ana' };

function human(name: string, groups: readonly string[] = [], more: Partial<Human> = {}): Human {
  return { id: `prn_${name}`, name, kind: 'user', groups, issuer: 'local', subject: name, ...more };
}

describe('who may approve', () => {
  it.each([
    ['somebody of the group', human('bo', ['owners']), undefined],
    ['somebody who is named', human('cleo'), undefined],
    ['somebody of another group', human('bo', ['owners2']), 'not-an-approver'],
    ['somebody whose name is that of the group', human('owners'), 'not-an-approver'],
    ['an administrator', human('root', ['administrators']), 'not-an-approver'],
    ['a service account of the group', human('robot', ['owners'], { kind: 'service' }), 'not-a-person'],
    ['a CI job of the group', human('ci', ['owners'], { kind: 'ci' }), 'not-a-person'],
    ['an agent of the group', human('agent', ['owners'], { kind: 'agent' }), 'not-a-person'],
    ['who asked', human('a', ['owners'], { id: 'prn_a' }), 'own-request'],
    ['who asked, under another account', human('z', ['owners'], { subject: 'ana' }), 'own-request'],
  ])('is for %s: %s', (_, who, expected) => {
    expect(refusalOf(who, ASKER, ['group:owners', 'cleo'])).toBe(expected);
  });
});

describe('the count', () => {
  it('is of one where one person is in two groups, or has two accounts', () => {
    const bo = human('bo', ['owners', 'leads']);
    const again = human('bo2', ['owners'], { subject: 'bo' });
    expect(countApprovers([bo, bo, again], ASKER, ['group:owners', 'group:leads', 'bo'])).toBe(1);
  });

  it('is never above the number of distinct people who may approve, whoever is counted', () => {
    const names = ['ana', 'bo', 'cleo', 'dan', 'eve'];
    const someone = fc.record({
      id: fc.constantFrom('prn_a', 'prn_b', 'prn_c', 'prn_d'),
      name: fc.constantFrom(...names),
      kind: fc.constantFrom('user' as const, 'ci' as const, 'service' as const),
      groups: fc.subarray(['owners', 'leads', 'others']),
      issuer: fc.constantFrom('local', 'idp'),
      subject: fc.constantFrom(...names),
    });
    fc.assert(
      fc.property(fc.array(someone, { maxLength: 12 }), (humans) => {
        const may = humans.filter(
          (one) =>
            one.kind === 'user' &&
            one.id !== ASKER.id &&
            !(one.issuer === 'local' && one.subject === 'ana') &&
            one.groups.includes('owners'),
        );
        const count = countApprovers(humans, ASKER, ['group:owners']);
        expect(count).toBeLessThanOrEqual(new Set(may.map(({ id }) => id)).size);
        expect(count).toBeLessThanOrEqual(new Set(may.map((one) => `${one.issuer} ${one.subject}`)).size);
        expect(count > 0).toBe(may.length > 0);
      }),
    );
  });
});
