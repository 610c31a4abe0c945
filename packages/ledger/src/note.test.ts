import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVectors } from '../../../test/conformance/vectors.ts';
import { fromHex, toHex, utf8 } from './bytes.ts';
import { openCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { verifyCosignatures } from './cosignature.ts';
import { LedgerError } from './errors.ts';
import {
  formatNote,
  formatVerifierKey,
  makeVerifierKey,
  NOTE_BYTES_MAX,
  parseNote,
  parseVerifierKey,
  SIGNATURE_TYPE,
  verifyNote,
} from './note.ts';

const PETER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function ed25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}

async function code<T>(action: () => Promise<T> | T): Promise<T | string> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

function noteOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

describe('verifier keys', () => {
  const vectors = readVectors('ledger/keys.txt', ['key', 'expect', 'name', 'type']);
  it.each(vectors.map((v) => ({ text: v.one('key'), v })))('$text', async ({ text, v }) => {
    const found = await code(() => {
      const key = parseVerifierKey(text);
      const again = formatVerifierKey(makeVerifierKey(key.name, key.type, key.publicKey));
      return [key.name, String(key.type), formatVerifierKey(key), again];
    });
    const good = [v.maybe('name'), v.maybe('type'), text, text];
    expect(found).toEqual(v.one('expect') === 'ok' ? good : v.one('expect').slice('refused '.length));
  });

  it('with any part cut off, or any character raised by one, are refused', async () => {
    const refused = ['VKEY_MALFORMED', 'ENCODING'];
    for (let from = 0; from < PETER.length; from++) {
      const next = String.fromCharCode(PETER.charCodeAt(from) + 1);
      const raised = PETER.slice(0, from) + next + PETER.slice(from + 1);
      expect(refused).toContain(await code(() => parseVerifierKey(raised)));
      for (let to = from; to <= PETER.length; to++) {
        if (from === 0 && to === PETER.length) continue;
        expect(refused).toContain(await code(() => parseVerifierKey(PETER.slice(from, to))));
      }
    }
  });

  it('of garbage are refused with our own error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(['VKEY_MALFORMED', 'ENCODING']).toContain(await code(() => parseVerifierKey(text)));
      }),
    );
  });

  it.each(['', 'a b', 'a+b', 'a\n', '\u00a0', '\ud800'])('with the name %j are not made', async (name) => {
    expect(await code(() => makeVerifierKey(name, 1, new Uint8Array(32)))).toBe('VKEY_MALFORMED');
  });

  it('of a type that nobody knows here are kept, and verify nothing', async () => {
    const key = makeVerifierKey('name', 0x65, new Uint8Array(7));
    expect(parseVerifierKey(formatVerifierKey(key))).toEqual(key);
    const note = formatNote('text\n', [{ name: 'name', keyId: key.keyId, signature: new Uint8Array(64) }]);
    expect(await code(() => verifyNote(parseNote(note), [key], ed25519))).toBe('NOTE_UNVERIFIED');
  });
});

describe('signed notes', () => {
  const vectors = readVectors('ledger/notes.txt', ['title', 'expect', 'key', 'verified', 'line']);
  it.each(vectors.map((v) => ({ title: v.one('title'), v })))('$title', async ({ v }) => {
    const keys = v.all('key').map(parseVerifierKey);
    const result = await code(async () => {
      const verified = await verifyNote(parseNote(noteOf(v.all('line'))), keys, ed25519);
      return verified.map(({ name }) => name);
    });
    expect(result).toEqual(v.one('expect') === 'ok' ? v.all('verified') : v.one('expect').slice(8));
  });

  it('are written byte for byte as Go writes them', () => {
    const published = noteOf(vectors[0]?.all('line') ?? []);
    const skey = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
    const raw = Buffer.from(skey.slice(skey.lastIndexOf('c74f20a3+') + 9), 'base64').subarray(1);
    const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: 'der', type: 'pkcs8' });
    const { text } = parseNote(published);
    const { name, keyId } = parseVerifierKey(PETER);
    const signature = sign(null, utf8(text), privateKey);
    expect(formatNote(text, [{ name, keyId, signature }])).toBe(published);
  });

  it('take a text with empty lines whole: signatures follow the last one', () => {
    const signature = { name: 'a', keyId: Uint8Array.of(1, 2, 3, 4), signature: Uint8Array.of(5) };
    const text = 'one\n\n\ntwo\n';
    expect(parseNote(formatNote(text, [signature]))).toEqual({ text, signatures: [signature] });
  });

  const line = '— a AQIDBAU=\n';
  const malformed: readonly (readonly [string, string])[] = [
    ['a control character', `te\u0001xt\n\n${line}`],
    ['a tab', `te\txt\n\n${line}`],
    ['a carriage return', `text\r\n\n${line}`],
    ['a lone surrogate', `te\ud800xt\n\n${line}`],
    ['no line feed at the end', `text\n\n${line.slice(0, -1)}`],
    ['a hyphen for the dash', `text\n\n${line.replace('—', '-')}`],
    ['two spaces', `text\n\n${line.replace('a ', 'a  ')}`],
    ['a signature without its four bytes of key id and one more', 'text\n\n— a AQIDBA==\n'],
    ['nothing at all', ''],
    ['more than a mebibyte', `${'x'.repeat(NOTE_BYTES_MAX)}\n\n${line}`],
  ];
  it.each(malformed)('with %s are malformed', async (_, note) => {
    expect(await code(() => parseNote(note))).toBe('NOTE_MALFORMED');
  });

  it('with two signatures by one known key are refused', async () => {
    const lines = vectors[0]?.all('line') ?? [];
    const note = parseNote(noteOf([...lines, lines.at(-1) ?? '']));
    expect(await code(() => verifyNote(note, [parseVerifierKey(PETER)], ed25519))).toBe('NOTE_MALFORMED');
  });

  it('without a line feed at the end of the text are not written', async () => {
    expect(await code(() => formatNote('text', []))).toBe('NOTE_MALFORMED');
  });

  it('of garbage are refused with our own error, or encode to themselves', async () => {
    const unit = fc.oneof(fc.constantFrom('\n', '\n\n', '— ', 'a ', 'AQIDBAU=', '+', ' '), fc.string());
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { maxLength: 12 }), async (parts) => {
        const text = parts.join('');
        const again = await code(() => {
          const note = parseNote(text);
          return formatNote(note.text, note.signatures);
        });
        expect([text, 'NOTE_MALFORMED', 'ENCODING']).toContain(again);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('checkpoints that other software wrote', () => {
  const fields = ['title', 'key-of', 'public-key', 'witness', 'time', 'size', 'line'];
  const vectors = readVectors('ledger/checkpoints.txt', fields);

  it.each(vectors.filter((v) => v.maybe('witness') === undefined).map((v) => ({ title: v.one('title'), v })))(
    '$title',
    async ({ v }) => {
      const publicKey = fromHex(v.one('public-key'));
      const key = makeVerifierKey(v.one('key-of'), SIGNATURE_TYPE.ed25519, publicKey);
      const checkpoint = await openCheckpoint(noteOf(v.all('line')), [key], ed25519);
      expect([checkpoint.origin, checkpoint.size]).toEqual([v.one('key-of'), Number(v.one('size'))]);
      expect(toHex(checkpoint.root)).toBe(`2a${'00'.repeat(31)}`);
    },
  );

  it.each(vectors.filter((v) => v.maybe('witness') !== undefined).map((v) => ({ title: v.one('title'), v })))(
    '$title',
    async ({ v }) => {
      const text = noteOf(v.all('line'));
      const witness = parseVerifierKey(v.one('witness'));
      expect(parseCheckpoint(text).size).toBe(Number(v.one('size')));
      const found = await verifyCosignatures(parseNote(text), [witness], ed25519);
      expect(found).toEqual([{ witness, timestamp: Number(v.one('time')) }]);
      const changed = parseNote(text.replace('\n300\n', '\n301\n'));
      expect(await code(() => verifyCosignatures(changed, [witness], ed25519))).toBe('NOTE_BAD_SIGNATURE');
    },
  );
});
