import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { hashPassword, PasswordTurns, verifyPassword } from './passwords.ts';

const password = new Secret('correct horse battery');

describe('passwords', () => {
  it('accepts the password and nothing else', async () => {
    const hash = await hashPassword(password, randomBytes);
    expect(hash.reveal()).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
    expect(await verifyPassword(password, hash)).toBe(true);
    expect(await verifyPassword(new Secret('correct horse batterz'), hash)).toBe(false);
    expect(await verifyPassword(password, undefined)).toBe(false);
  });

  it('takes a password that is typed with combining characters as the same', async () => {
    const hash = await hashPassword(new Secret('pässwörter sind lang'.normalize('NFC')), randomBytes);
    expect(await verifyPassword(new Secret('pässwörter sind lang'.normalize('NFD')), hash)).toBe(true);
  });

  it.each(['short', '🐎'.repeat(14), 'x'.repeat(LIMITS.identity.passwordBytesMax + 1)])(
    'refuses a new password that is too short or too long',
    async (text) => {
      await expect(hashPassword(new Secret(text), randomBytes)).rejects.toThrow(
        /password of at (least|most)/,
      );
    },
  );

  it.each([
    '',
    '$argon2i$v=19$m=1,t=1,p=1$a$b',
    '$argon2id$v=19$m=9999999,t=3,p=4$' + 'A'.repeat(22) + '$' + 'A'.repeat(43),
  ])('refuses a hash in the store that is not one of ours', async (text) => {
    await expect(verifyPassword(password, new Secret(text))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('PasswordTurns', () => {
  it('runs a few at once, lets a bounded number wait and refuses the next', async () => {
    const { passwordChecksMax, passwordWaitersMax } = LIMITS.identity;
    const turns = new PasswordTurns();
    const releases: (() => void)[] = [];
    let running = 0;
    let most = 0;
    function work(): Promise<void> {
      return turns.run(async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => {
          releases.push(resolve);
        });
        running -= 1;
      });
    }
    const all = Array.from({ length: passwordChecksMax + passwordWaitersMax }, work);
    await expect(work()).rejects.toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
    let done = 0;
    while (done < all.length) {
      const release = releases.shift();
      if (release === undefined) {
        await Promise.resolve();
        continue;
      }
      release();
      done += 1;
    }
    await Promise.all(all);
    expect(most).toBe(passwordChecksMax);
  });
});
