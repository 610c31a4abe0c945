import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import type { Cause } from '../../policy/decide.ts';
import { blockedError } from './decide-request.ts';
import { refusalOf } from './refuse.ts';

const APPROVAL = { id: 'hld_1', url: 'http://gateway/v1/approvals/hld_1' };

function cause(rule: string, what: string, description?: string): Cause {
  return { rule, version: 3, verdict: 'block', description, what, from: 0, to: 0 };
}

function textOf(error: CountersignError, approval?: typeof APPROVAL): unknown {
  const body: unknown = JSON.parse(refusalOf(error, 'auto', { approval }).body);
  return typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
}

describe('a refused request', () => {
  it('is told of what the rule found with its description, and of the other rules', () => {
    const causes = [
      cause('no-deletes', 'delete of things', 'Ask the owners (A.8.32).'),
      cause('no-deletes', 'delete of others', 'ask the owners'),
      cause('access:all', 'nothing allows delete of things'),
    ];
    expect(textOf(blockedError({ causes }))).toBe(
      'Blocked by rule "no-deletes" (version 3): delete of things; delete of others (Ask the owners (A.8.32)). Also: access:all: nothing allows delete of things. The target has not seen this request. Ask whoever owns the rule, or change the request.',
    );
  });

  it('is told of no more causes than anybody reads', () => {
    const causes = Array.from({ length: 40 }, (_, i) => cause(i < 20 ? 'one' : `other-${i}`, `thing ${i}.`));
    const { message } = blockedError({ causes });
    expect(message).toContain('thing 7.');
    expect(message).not.toContain('thing 8.');
    expect(message).toMatch(/Also: other-20: .*other-27: thing 27\.; and 12 more\.$/);
  });

  it('is told to send it again when it is approved, and only while that can happen', () => {
    const { id } = APPROVAL;
    const held = new CountersignError('POLICY_HELD', { rule: 'r', version: 1, what: 'x', id });
    expect(textOf(held, APPROVAL)).toContain(`${APPROVAL.url} has it; send the identical request again`);
    for (const error of [
      new CountersignError('HOLD_DENIED', { id, by: 'rolf' }),
      new CountersignError('HOLD_EXPIRED', { id }),
      new CountersignError('HOLD_NOT_USABLE', { id, why: 'used' }),
    ]) {
      expect(textOf(error, APPROVAL)).not.toMatch(/when it is approved|statement/);
    }
  });
});
