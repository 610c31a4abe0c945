import { expect, it } from 'vitest';
import { withoutMethods } from './without-methods.ts';

it('a slice of it is a copy, which that of a Buffer is not', () => {
  const chunk = Buffer.from('name of a statement');
  const [view, copy] = [chunk.slice(0, 4), withoutMethods(chunk).slice(0, 4)];
  chunk.fill('x');
  expect(String(view)).toBe('xxxx');
  expect(Buffer.from(copy).toString()).toBe('name');
  expect(copy.buffer.byteLength).toBe(4);
});
