import { describe, expect, it } from 'vitest';
import { Strangers } from './strangers.ts';

class Socket {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
  }
}

describe('sockets that nobody knows', () => {
  it('are bounded, and the oldest gives way', () => {
    const strangers = new Strangers(2);
    const sockets = [new Socket(), new Socket(), new Socket()] as const;
    for (const socket of sockets) strangers.add(socket, 'a');
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    expect(strangers.count).toBe(2);
  });

  it('push out their own address where it has most of them, and nobody else', () => {
    const strangers = new Strangers(3);
    const early = new Socket();
    strangers.add(early, 'somebody');
    const flood = Array.from({ length: 10 }, () => new Socket());
    for (const socket of flood) strangers.add(socket, 'flood');
    expect(early.destroyed).toBe(false);
    expect(flood.filter(({ destroyed }) => !destroyed)).toEqual(flood.slice(-2));
  });

  it('are forgotten when they close or belong to somebody, once', () => {
    const strangers = new Strangers(3);
    const [known, other] = [new Socket(), new Socket()];
    strangers.add(known, 'a');
    strangers.add(other, 'a');
    strangers.remove(known, 'a');
    strangers.remove(known, 'a');
    expect(strangers.count).toBe(1);
    strangers.add(known, 'b');
    strangers.destroy();
    expect([known.destroyed, other.destroyed]).toEqual([true, true]);
  });
});
