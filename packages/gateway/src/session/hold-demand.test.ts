import { describe, expect, it } from 'vitest';
import { HOLD, rule } from '../policy/testing-facts.ts';
import { demandOf } from './hold-demand.ts';

describe('what a rule demands of approvers', () => {
  it('is a second factor where it says so, and none where it does not', () => {
    const when = { effects: ['drop'] };
    expect(demandOf(rule('r', when, { ...HOLD, mfa: '15m' }), undefined)).toMatchObject({ mfaMs: 900_000 });
    expect(demandOf(rule('r', when, HOLD), undefined)).not.toHaveProperty('mfaMs');
  });
});
