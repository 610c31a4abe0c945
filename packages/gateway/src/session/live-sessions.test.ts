import { describe, expect, it } from 'vitest';
import { makeId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type LiveSession, LiveSessions, makeCancelKey } from './live-sessions.ts';

let count = 0;

/** Not random, and never the same. */
function bytes(length: number): Uint8Array {
  count += 1;
  const made = new Uint8Array(length);
  new DataView(made.buffer).setUint32(0, count);
  return made;
}

function session(): LiveSession {
  return {
    id: makeId('session', count, bytes(10)),
    principal: {
      id: makeId('principal', count, bytes(10)),
      name: 'ana',
      kind: 'user',
      displayName: '',
      issuer: '',
      subject: '',
      groups: [],
    },
    tokenId: 't',
    connection: 'db',
    access: 'a',
    database: 'd',
    address: '',
    startedUs: 0,
    end: () => undefined,
    endWhenIdle: () => undefined,
    cancel: () => undefined,
    closed: Promise.resolve(),
  };
}

describe('cancel keys', () => {
  it('of two targets with the same process id are told apart by their secrets', () => {
    const sessions = new LiveSessions();
    const opened = [0x30000, 0x30000, 0x30002].map((version) => {
      const place = sessions.takePlace();
      const made = session();
      const key = makeCancelKey(77, version, bytes);
      sessions.add(place, made, key);
      return { place, made, key };
    });
    for (const { made, key } of opened) {
      expect(key.processId).toBe(77);
      expect(sessions.findByCancelKey(77, key.secret)).toBe(made);
      expect(sessions.findByCancelKey(78, key.secret)).toBeUndefined();
      expect(sessions.findByCancelKey(77, key.secret.subarray(1))).toBeUndefined();
    }
    expect(opened.map(({ key }) => key.secret.length)).toEqual([4, 4, 32]);
    const [first, second] = opened;
    if (first === undefined || second === undefined) throw new Error('unreachable');
    sessions.remove(first.place);
    expect(sessions.findByCancelKey(77, first.key.secret)).toBeUndefined();
    expect(sessions.findByCancelKey(77, second.key.secret)).toBe(second.made);
    expect(sessions.count).toBe(2);
  });

  it('of a target that gave none have a process id that clients take for one', () => {
    for (const all of [0x00, 0xff]) {
      const { processId } = makeCancelKey(undefined, 0x30000, (length) => new Uint8Array(length).fill(all));
      expect(processId).toBeGreaterThan(0);
      expect(processId | 0).toBe(processId);
    }
  });
});

describe('places', () => {
  it('are bounded, and come back when a session never came to be', () => {
    const sessions = new LiveSessions();
    const places = Array.from({ length: LIMITS.postgres.sessionsMax }, () => sessions.takePlace());
    expect(() => sessions.takePlace()).toThrow(expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS' }));
    for (const place of places.slice(0, 1)) sessions.remove(place);
    expect(() => sessions.takePlace()).not.toThrow();
  });
});
