import { createServer } from 'node:http';
import { connect } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pump, Stalled } from './pump.ts';
import { readStream } from './read-stream.ts';

/** What came, and how it ended. */
async function read(
  source: Readable,
  wait: (chunk: Uint8Array) => Promise<void> | undefined = () => undefined,
): Promise<{ readonly text: string; readonly error: string | undefined }> {
  let text = '';
  try {
    await readStream(source, (chunk) => {
      text += Buffer.from(chunk).toString();
      return wait(chunk);
    });
    return { text, error: undefined };
  } catch (error) {
    return { text, error: error instanceof Error ? error.message : String(error) };
  }
}

describe('a stream', () => {
  it('is read to its end, one piece at a time, however long each takes', async () => {
    const pieces = fc.array(
      fc.record({
        text: fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }),
        waits: fc.nat(3),
      }),
    );
    await fc.assert(
      fc.asyncProperty(pieces, fc.boolean(), async (all, isGiven) => {
        const source = isGiven
          ? Readable.from(
              all.map(({ text }) => Buffer.from(text)),
              { objectMode: false },
            )
          : new PassThrough({ highWaterMark: 4 });
        if (source instanceof PassThrough) {
          void (async () => {
            for (const { text, waits } of all) {
              for (let left = waits; left > 1; left -= 1) await turn();
              source.write(text);
            }
            source.end();
          })();
        }
        let at = 0;
        let isTaking = false;
        const got = await read(source, () => {
          expect(isTaking).toBe(false);
          const waits = all[at++ % Math.max(1, all.length)]?.waits ?? 0;
          if (waits === 0) return undefined;
          isTaking = true;
          return (async () => {
            for (let left = waits; left > 0; left -= 1) await turn();
            isTaking = false;
          })();
        });
        expect(got).toEqual({ text: all.map(({ text }) => text).join(''), error: undefined });
      }),
      { numRuns: 60 },
    );
  });

  it('that has ended, failed or was cut off before says so at once', async () => {
    const ended = Readable.from([Buffer.from('x')], { objectMode: false });
    await read(ended);
    expect(await read(ended)).toEqual({ text: '', error: undefined });
    const failed = new PassThrough();
    failed.on('error', () => undefined);
    failed.destroy(new Error('the cable'));
    await turn();
    expect(await read(failed)).toEqual({ text: '', error: 'the cable' });
    const cut = new PassThrough();
    cut.destroy();
    expect((await read(cut)).error).toBe('it ended before it was complete');
  });

  it.each([
    ['with an error', new Error('the cable'), 'the cable'],
    ['without one', undefined, 'it ended before it was complete'],
  ])('that breaks off %s rejects, also while a piece is taken', async (_, error, said) => {
    for (const waits of [false, true]) {
      const source = new PassThrough();
      source.write('a');
      const got = read(source, () => {
        setImmediate(() => source.destroy(error));
        return waits ? turn().then(() => turn()) : undefined;
      });
      expect(await got).toEqual({ text: 'a', error: said });
    }
  });

  it('is destroyed where whoever takes it throws, at once or later', async () => {
    for (const isLate of [false, true]) {
      const source = new PassThrough();
      source.write('a');
      const got = await read(source, () => {
        if (!isLate) throw new Error('the recording');
        return turn().then(() => Promise.reject(new Error('the recording')));
      });
      expect(got).toEqual({ text: 'a', error: 'the recording' });
      expect(source.destroyed).toBe(true);
      // Nobody listens any more, and it does not end the process.
      expect(source.listenerCount('data') + source.listenerCount('end')).toBe(0);
    }
  });

  it('gives nothing but bytes', async () => {
    const got = read(Readable.from(['text'], { objectMode: true }));
    expect((await got).error).toBe('a stream gave something that is no bytes');
  });
});

describe('a request that is read no further', () => {
  it('can still be answered, and its connection goes on being its own', async () => {
    const server = createServer((request, response) => {
      readStream(request, () => {
        throw new Error('too much');
      }).catch((error: unknown) => {
        response.writeHead(413, { connection: 'close' });
        response.end(String(error));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegun');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    await new Promise((resolve) => server.close(resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('too much');
  });
});

describe('the pump', () => {
  it('waits for a sink that is full, and passes every byte in order', async () => {
    const pieces = Array.from({ length: 200 }, (_, at) => Buffer.from(`${at},`));
    const sink = new PassThrough({ highWaterMark: 16 });
    let got = '';
    let most = 0;
    const slow = (async () => {
      for await (const chunk of sink) {
        most = Math.max(most, sink.writableLength);
        got += String(chunk);
        await turn();
      }
    })();
    const options = { silentMsMax: undefined, stalledMsMax: 5_000 };
    await pump(Readable.from(pieces, { objectMode: false }), sink, { ...options, take: () => undefined });
    sink.end();
    await slow;
    expect(got).toBe(pieces.join(''));
    expect(most).toBeLessThanOrEqual(32);
  });

  it('gives up a sink that takes nothing, and a source that gives nothing, and a sink that has gone', async () => {
    const options = { take: () => undefined, silentMsMax: undefined, stalledMsMax: 20 };
    const full = new PassThrough({ highWaterMark: 1 });
    const many = Readable.from([Buffer.from('aaaa'), Buffer.from('b')], { objectMode: false });
    await expect(pump(many, full, options)).rejects.toBeInstanceOf(Stalled);
    expect(many.destroyed).toBe(true);
    const silent = new PassThrough();
    await expect(pump(silent, new PassThrough(), { ...options, silentMsMax: 20 })).rejects.toBeInstanceOf(
      Stalled,
    );
    const gone = new PassThrough();
    gone.destroy();
    const one = Readable.from([Buffer.from('a')], { objectMode: false });
    await expect(pump(one, gone, options)).rejects.toThrow('the other end has closed');
  });
});
