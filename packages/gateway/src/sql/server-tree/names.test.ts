import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../core/limits.ts';
import { namesInText } from './names.ts';

function namesOf(text: string): ReturnType<typeof namesInText> {
  return namesInText(new TextEncoder().encode(text));
}

describe('names and operators of a text', () => {
  it.each([
    ['folds what is not in quotes', 'select Foo."Bar""x" from ÉA', ['select', 'foo', 'Bar"x', 'from', 'Éa']],
    ['takes no literal and no comment for a name', "select 'a' /* b */ -- c\n, $$d$$ e", ['select', 'e']],
    ['takes functional notation for a name', 'select t.purge from t', ['select', 't', 'purge', 'from']],
  ])('%s', (_, text, words) => {
    expect([...(namesOf(text)?.words ?? [])]).toEqual(words);
  });

  it.each([
    ['a@@@b', ['@@@', '@@', '@']],
    ['a <-1', ['<-', '<', '-']],
    ['a + /* c */ - b', ['+', '-']],
  ])('takes any part of adjacent signs for an operator: %s', (text, operators) => {
    const found = namesOf(text)?.operators;
    expect(operators.filter((one) => found?.has(one) !== true)).toEqual([]);
  });

  it('knows what the grammar makes of words', () => {
    const found = namesOf('a like b and c in (d) and e between f and g')?.operators;
    expect(['~~', '=', '<=', '>='].filter((one) => found?.has(one) !== true)).toEqual([]);
  });

  it.each([
    ['a name of Unicode escapes', 'select U&"\\0061"'],
    ['a name that the server cuts', `select ${'a'.repeat(64)}`],
    ['a name that the server cuts in quotes', `select "${'é'.repeat(32)}"`],
    [
      'more signs than an operator has',
      `select 1 ${'@'.repeat(LIMITS.serverTree.operatorCharactersMax + 1)} 2`,
    ],
    [
      'more names than are looked up',
      `select ${Array.from({ length: LIMITS.serverTree.namesMax }, (_, at) => `a${at}`).join()}`,
    ],
  ])('gives up on %s', (_, text) => {
    expect(namesOf(text)).toBeUndefined();
  });
});
