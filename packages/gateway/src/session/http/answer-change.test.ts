import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonOf } from '../../core/errors.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { contentThrough, passing, withheld } from './answer-change.ts';

function answerOf(content: Readable, encoding = 'identity'): UpstreamAnswer {
  const fields = [['content-encoding', encoding]] as const;
  return { version: '1.1', status: 200, fields, content, trailers: () => [], upgraded: undefined };
}

/** Each piece in brackets; throws at one that is `bad`. */
const BRACKETS: BodyMasker = {
  push: (chunk) => {
    if (Buffer.from(chunk).toString() === 'bad') throw withheld('it is bad');
    return [Buffer.from('['), new Uint8Array(0), chunk, Buffer.from(']')];
  },
  finish: () => [Buffer.from('.')],
};

/** What came before it was changed. */
function watched(): { readonly came: Buffer[]; readonly take: (chunk: Uint8Array) => void } {
  const came: Buffer[] = [];
  return { came, take: (chunk) => came.push(Buffer.from(chunk)) };
}

async function ending(content: Readable): Promise<string> {
  try {
    return await text(content);
  } catch (error) {
    return `failed: ${reasonOf(error)}`;
  }
}

/** Until nothing more happens by itself. */
async function settle(): Promise<void> {
  for (let left = 10; left > 0; left -= 1) await turn();
}

describe('a content that is changed', () => {
  it('is what the masker makes of it, whatever the pieces, and each is seen as it came', async () => {
    const piece = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
        const source = Readable.from(
          pieces.map((one) => Buffer.from(one)),
          { objectMode: false },
        );
        const { came, take } = watched();
        const expected = pieces.length === 0 ? '' : `${pieces.map((one) => `[${one}]`).join('')}.`;
        expect(await text(contentThrough(answerOf(source), BRACKETS, take))).toBe(expected);
        expect(Buffer.concat(came).toString()).toBe(pieces.join(''));
      }),
      { numRuns: 30 },
    );
  });

  it('is decoded before it is changed, and seen as it was encoded', async () => {
    const encoded = gzipSync('text');
    const { came, take } = watched();
    const source = Readable.from([encoded], { objectMode: false });
    expect(await text(contentThrough(answerOf(source, 'gzip'), BRACKETS, take))).toBe('[text].');
    expect(Buffer.concat(came).equals(encoded)).toBe(true);
  });

  it('is not read before it is asked for, nor further than there is room', async () => {
    const source = new PassThrough();
    const { came, take } = watched();
    const content = contentThrough(answerOf(source), BRACKETS, take);
    for (let left = 20; left > 0; left -= 1) source.write(Buffer.alloc(16_384));
    await settle();
    expect(came.length).toBe(0);
    content.read(1);
    await settle();
    const first = came.length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(10);
    content.resume();
    source.end();
    await settle();
    expect(came.length).toBe(20);
    expect(content.readableEnded).toBe(true);
  });

  it('breaks off where it cannot be read, and so does what it comes from', async () => {
    const source = new PassThrough();
    const content = contentThrough(answerOf(source), BRACKETS);
    source.write('good');
    content.once('data', () => source.write('bad'));
    expect(await ending(content)).toContain('it is bad');
    expect(source.destroyed).toBe(true);
  });

  it('is withheld where what it comes from breaks off', async () => {
    const source = new PassThrough();
    const content = contentThrough(answerOf(source), BRACKETS);
    content.once('data', () => source.destroy(new Error('reset')));
    source.write('good');
    expect(await ending(content)).toContain('it does not decode: reset');
  });

  it('leaves what it comes from as it is behind its end', async () => {
    const source = new PassThrough({ autoDestroy: false });
    source.end('text');
    expect(await text(contentThrough(answerOf(source), BRACKETS))).toBe('[text].');
    await settle();
    expect(source.destroyed).toBe(false);
  });

  it('ends what it comes from where nobody reads it any more', async () => {
    const source = new PassThrough();
    const content = contentThrough(answerOf(source), BRACKETS);
    source.write(Buffer.alloc(1_000_000));
    content.read(1);
    await settle();
    content.destroy();
    await settle();
    expect(source.destroyed).toBe(true);
  });
});

describe('a content that passes', () => {
  it('is the same, seen as it goes by', async () => {
    const { came, take } = watched();
    const source = Readable.from([Buffer.from('ab'), Buffer.from('c')], { objectMode: false });
    expect(await text(passing(source, take))).toBe('abc');
    expect(Buffer.concat(came).toString()).toBe('abc');
  });
});
