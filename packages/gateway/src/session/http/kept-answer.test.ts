import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';
import { AnswerBudget, KeptAnswer } from './kept-answer.ts';

describe('an answer that is kept', () => {
  it('is what passed by, and its room is given back once, however often it is asked for', () => {
    const budget = new AnswerBudget();
    const kept = new KeptAnswer(budget, 'ana');
    kept.take(Buffer.from('ab'));
    kept.take(Buffer.from('c'));
    expect(budget.bytes).toBe(3);
    expect(Buffer.from(kept.bytes()).toString()).toBe('abc');
    kept.release();
    expect([budget.bytes, kept.bytes().length]).toEqual([0, 0]);
  });

  it('takes no room any more once it is released: a target may go on sending for a while', () => {
    const budget = new AnswerBudget();
    const kept = new KeptAnswer(budget, 'ana');
    kept.take(new Uint8Array(5));
    kept.release();
    kept.take(new Uint8Array(7));
    expect(budget.bytes).toBe(0);
  });

  it('is dropped where it is too large, or there is no room', () => {
    const budget = new AnswerBudget();
    const large = new KeptAnswer(budget, 'ana');
    large.take(new Uint8Array(LIMITS.answerBytesMax));
    expect([large.dropped, budget.bytes]).toEqual([undefined, LIMITS.answerBytesMax]);
    large.take(new Uint8Array(1));
    expect([large.dropped, budget.bytes]).toEqual([`it has more than ${LIMITS.answerBytesMax} bytes`, 0]);
  });

  it('leaves room for others, whoever has how many: nobody has more than half', () => {
    const budget = new AnswerBudget();
    const refused = ['ana', 'bo', 'cy'].map((principal) => {
      const all = Array.from({ length: 5 }, () => new KeptAnswer(budget, principal));
      for (const kept of all) kept.take(new Uint8Array(LIMITS.answerBytesMax));
      return all.filter(({ dropped }) => dropped === 'too many answers were being read at once').length;
    });
    expect(refused).toEqual([1, 1, 5]);
    expect(budget.bytes).toBe(LIMITS.answersTotalBytesMax);
  });

  it('leaves no room taken, whatever comes in which order', () => {
    const steps = fc.array(fc.tuple(fc.nat(3), fc.constantFrom('take', 'release'), fc.nat(9_000_000)));
    fc.assert(
      fc.property(steps, (all) => {
        const budget = new AnswerBudget();
        const answers = ['a', 'a', 'b', 'c'].map((principal) => new KeptAnswer(budget, principal));
        for (const [which, step, length] of all) {
          const kept = answers[which];
          if (step === 'take') kept?.take({ length } as Uint8Array);
          else kept?.release();
        }
        expect(budget.bytes).toBeGreaterThanOrEqual(0);
        expect(budget.bytes).toBeLessThanOrEqual(LIMITS.answersTotalBytesMax);
        for (const kept of answers) kept.release();
        expect([budget.bytes, budget.holders]).toEqual([0, 0]);
      }),
    );
  });
});
