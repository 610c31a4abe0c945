/** The promise that a log of this project is accepted by Go's sumdb/note and sumdb/tlog. */

import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '@countersign/ledger/bytes';
import { formatVerifierKey, makeVerifierKey, SIGNATURE_TYPE } from '@countersign/ledger/note';
import { useSha256 } from '@countersign/ledger/sha256';
import { verifyWithGo, whyNoGo, writeLog } from './go-log.ts';

const SIZE = 70_000;
const reason = whyNoGo();
if (reason !== undefined) console.warn(`NOT TESTED: logs are not checked with Go: ${reason}`);

it('has Go where the project is tested as a whole', () => {
  const required = process.env['COUNTERSIGN_CI'] !== undefined;
  expect(required ? reason : undefined).toBeUndefined();
});

describe.skipIf(reason !== undefined)('Go accepts a log', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const key = makeVerifierKey('countersign.example/ledger/gw1', SIGNATURE_TYPE.ed25519, raw);
  const vkey = formatVerifierKey(key);
  let root = '';

  beforeAll(async () => {
    useSha256((data) => createHash('sha256').update(data).digest());
    root = await mkdtemp(join(tmpdir(), 'countersign-go-log-'));
    await writeLog(join(root, 'log'), key, privateKey, [1, 255, 256, 300, 65_535, 65_536, SIZE]);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('of 70,000 leaves that grew in steps: checkpoint, every leaf, proofs of records and trees', async () => {
    const verdict = await verifyWithGo(join(root, 'log'), vkey);
    expect(verdict).toBe(`ok: ${SIZE} leaves`);
  }, 180_000);

  it.each([1, 2, 255, 256, 257, 513])(
    'of %i leaves',
    async (size) => {
      await writeLog(join(root, `log-${size}`), key, privateKey, [size]);
      const verdict = await verifyWithGo(join(root, `log-${size}`), vkey);
      expect(verdict).toBe(`ok: ${size} leaves`);
    },
    60_000,
  );

  const damages = [
    { file: 'checkpoint', says: /invalid signature/ },
    { file: 'tile/0/000', says: /tile\/0\/000 is not the one that the entries give/ },
    { file: 'tile/entries/000', says: /the entries do not have the checkpoint's root/ },
  ];
  it.each(damages)(
    'but not one with a changed byte in $file',
    async ({ file, says }) => {
      const directory = join(root, `damaged-${file.replaceAll('/', '-')}`);
      await writeLog(directory, key, privateKey, [300]);
      const bytes = await readFile(join(directory, file));
      // The digit before the first line's end, of which a checkpoint's signature covers every bit.
      const at = file === 'checkpoint' ? bytes.indexOf('\n') + 1 : 40;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(join(directory, file), bytes);
      await expect(verifyWithGo(directory, vkey)).rejects.toThrow(says);
    },
    60_000,
  );

  it('but not one that another key signed', async () => {
    const other = makeVerifierKey(key.name, SIGNATURE_TYPE.ed25519, utf8('another key of 32 bytes in all..'));
    const verdict = verifyWithGo(join(root, 'log'), formatVerifierKey(other));
    await expect(verdict).rejects.toThrow(/no verifiable signatures/);
  }, 60_000);
});
