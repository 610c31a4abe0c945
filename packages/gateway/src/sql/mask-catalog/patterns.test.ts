import { expect, it } from 'vitest';
import { patternsParameter } from './patterns.ts';

it('asks in ASCII, whatever the names are', () => {
  const parameter = patternsParameter([{ text: 'tëst.𝒳', schema: undefined, table: 'tëst', column: '𝒳' }]);
  expect(parameter).toBe(String.raw`[[null,"t\u00ebst","\ud835\udcb3"]]`);
  expect(JSON.parse(parameter)).toEqual([[null, 'tëst', '𝒳']]);
});
