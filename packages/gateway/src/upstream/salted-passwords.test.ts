import { expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { saltPassword } from '../protocols/postgres/scram.ts';
import { saltedPassword } from './salted-passwords.ts';

const SALT = new Uint8Array(16).fill(7);

it('is remembered for the same password, salt and iterations, and for nothing else', () => {
  const first = saltedPassword('pencil', SALT, 4096);
  expect(first).toEqual(saltPassword('pencil', SALT, 4096));
  expect(saltedPassword('pencil', SALT, 4096)).toBe(first);
  for (const [password, salt, iterations] of [
    ['pencils', SALT, 4096],
    ['pencil', SALT.with(0, 8), 4096],
    ['pencil', SALT, 4097],
    // Where one ends and the next begins is part of it.
    ['ncil', new Uint8Array([...SALT, 0x70, 0x65]), 4096],
  ] as const) {
    expect(saltedPassword(password, salt, iterations)).toEqual(saltPassword(password, salt, iterations));
  }
});

it('forgets the oldest', () => {
  const first = saltedPassword('first', SALT, 4096);
  for (let index = 0; index < LIMITS.postgres.saltedPasswordsMax; index++) {
    saltedPassword('one more', Uint8Array.of(index & 255, index >> 8), 4096);
  }
  expect(saltedPassword('first', SALT, 4096)).not.toBe(first);
  expect(saltedPassword('first', SALT, 4096)).toEqual(first);
});
