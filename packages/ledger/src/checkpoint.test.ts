import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVectors } from '../../../test/conformance/vectors.ts';
import { concat, fromBase64, fromHex, toBase64, toHex, utf8, utf8Text } from './bytes.ts';
import { formatCheckpoint, openCheckpoint, parseCheckpoint, parseCheckpointText } from './checkpoint.ts';
import { cosignedMessage, verifyCosignatures } from './cosignature.ts';
import { LedgerError } from './errors.ts';
import { Frontier, leafHash, nodeHash } from './merkle.ts';
import {
  type Ed25519Verify,
  formatNote,
  makeVerifierKey,
  type NoteSignature,
  parseNote,
  parseVerifierKey,
  SIGNATURE_TYPE,
  type VerifierKey,
} from './note.ts';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.ts';

const ORIGIN = 'countersign.example/ledger/gw1';
const ROOT = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';

interface Signer {
  readonly key: VerifierKey;
  readonly privateKey: KeyObject;
}

function signer(name: string, type: number): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { key: makeVerifierKey(name, type, new Uint8Array(raw)), privateKey };
}

function signatureBy({ key, privateKey }: Signer, text: string): NoteSignature {
  return { name: key.name, keyId: key.keyId, signature: new Uint8Array(sign(null, utf8(text), privateKey)) };
}

function cosignatureBy({ key, privateKey }: Signer, text: string, timestamp: number): NoteSignature {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(timestamp));
  const signature = concat(time, sign(null, cosignedMessage(text, timestamp), privateKey));
  return { name: key.name, keyId: key.keyId, signature };
}

const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const ed25519: Ed25519Verify = (publicKey, message, signature) => {
  const der = Buffer.concat([SPKI, publicKey]);
  return verify(null, message, { key: der, format: 'der', type: 'spki' }, signature);
};

async function code<T>(action: () => Promise<T> | T): Promise<T | string> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

const log = signer(ORIGIN, SIGNATURE_TYPE.ed25519);
const text = formatCheckpoint({ origin: ORIGIN, size: 20_852_163, root: fromBase64(ROOT) });

describe('checkpoints', () => {
  it('are origin, size and root', () => {
    expect(text).toBe(`${ORIGIN}\n20852163\n${ROOT}\n`);
    const { origin, size, root, extensions } = parseCheckpointText(text);
    expect([origin, size, toBase64(root), extensions]).toEqual([ORIGIN, 20_852_163, ROOT, []]);
    expect(parseCheckpointText(`${text}one\ntwo\n`).extensions).toEqual(['one', 'two']);
  });

  const malformed: readonly (readonly [string, string])[] = [
    ['an empty text', ''],
    ['no root', `${ORIGIN}\n1\n`],
    ['no last line feed', text.slice(0, -1)],
    ['an empty origin', `\n1\n${ROOT}\n`],
    ['an origin with a space', `go.sum database tree\n123456789012\n${ROOT}\n`],
    ['an origin with a plus sign', `a+b\n1\n${ROOT}\n`],
    ['a hexadecimal size', `${ORIGIN}\n0xabcdef\n${ROOT}\n`],
    ['a leading zero', `${ORIGIN}\n01\n${ROOT}\n`],
    ['a negative size', `${ORIGIN}\n-1\n${ROOT}\n`],
    ['a size beyond 2^53-1', `${ORIGIN}\n9007199254740992\n${ROOT}\n`],
    ['no size', `${ORIGIN}\n\n${ROOT}\n`],
    ['a root of 35 bytes', `${ORIGIN}\n1\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBTOOBIG=\n`],
    ['a root of no bytes', `${ORIGIN}\n1\n\n`],
    ['a root of 31 bytes', `${ORIGIN}\n1\n${toBase64(new Uint8Array(31))}\n`],
    ['an empty extension line', `${text}one\n\ntwo\n`],
  ];
  it.each(malformed)('with %s are refused', async (_, bad) => {
    expect(['CHECKPOINT_MALFORMED', 'ENCODING']).toContain(await code(() => parseCheckpointText(bad)));
  });

  it('of garbage are refused with our own error, or encode to themselves', async () => {
    const unit = fc.constantFrom('\n', 'a', '1', '0', ROOT, `${ROOT}\n`, 'origin\n', '5\n', ' ');
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { maxLength: 8 }), async (parts) => {
        const again = await code(() => {
          const checkpoint = parseCheckpointText(parts.join(''));
          return formatCheckpoint(checkpoint) + checkpoint.extensions.map((line) => `${line}\n`).join('');
        });
        expect([parts.join(''), 'CHECKPOINT_MALFORMED', 'ENCODING']).toContain(again);
      }),
      { numRuns: 1000 },
    );
  });

  it('open with the key of their own origin only', async () => {
    const note = formatNote(text, [signatureBy(log, text)]);
    expect((await openCheckpoint(note, [log.key], ed25519)).size).toBe(20_852_163);
    expect(parseCheckpoint(note).note.signatures).toHaveLength(1);

    const other = signer('other.example/log', SIGNATURE_TYPE.ed25519);
    const foreign = formatNote(text, [signatureBy(other, text)]);
    expect(await code(() => openCheckpoint(foreign, [log.key, other.key], ed25519))).toBe('NOTE_UNVERIFIED');
    const successor = signer(ORIGIN, SIGNATURE_TYPE.ed25519);
    const rotated = formatNote(text, [signatureBy(successor, text)]);
    expect(await code(() => openCheckpoint(rotated, [log.key], ed25519))).toBe('NOTE_UNVERIFIED');
    expect((await openCheckpoint(rotated, [log.key, successor.key], ed25519)).origin).toBe(ORIGIN);
  });

  it('with any changed character do not open', async () => {
    const note = formatNote(text, [signatureBy(log, text)]);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: note.length - 1 }), async (at) => {
        const changed = `${note.slice(0, at)}${note[at] === 'A' ? 'B' : 'A'}${note.slice(at + 1)}`;
        expect(typeof (await code(() => openCheckpoint(changed, [log.key], ed25519)))).toBe('string');
      }),
    );
  });
});

describe('cosignatures', () => {
  const w1 = signer('witness.example/w1', SIGNATURE_TYPE.cosignatureV1);
  const w2 = signer('witness.example/w2', SIGNATURE_TYPE.cosignatureV1);
  const own = signatureBy(log, text);

  function verified(signatures: readonly NoteSignature[]): Promise<unknown> {
    return code(async () => {
      const note = parseNote(formatNote(text, signatures));
      const found = await verifyCosignatures(note, [w1.key, w2.key], ed25519);
      return found.map(({ witness, timestamp }) => [witness.name, timestamp]);
    });
  }

  it('sign the whole text with their time, as the example of tlog-cosignature says', () => {
    expect(utf8Text(cosignedMessage(text, 1_679_315_147))).toBe(`cosignature/v1\ntime 1679315147\n${text}`);
  });

  it('of known witnesses are verified, and others ignored', async () => {
    const stranger = signer('stranger.example', SIGNATURE_TYPE.cosignatureV1);
    const lines = [own, cosignatureBy(w1, text, 1_679_315_147), cosignatureBy(stranger, text, 5)];
    expect(await verified(lines)).toEqual([['witness.example/w1', 1_679_315_147]]);
    expect(await verified([...lines, cosignatureBy(w2, text, 2 ** 40)])).toEqual([
      ['witness.example/w1', 1_679_315_147],
      ['witness.example/w2', 2 ** 40],
    ]);
    expect(await verified([own])).toEqual([]);
  });

  it('do not stand in for the signature of the log', async () => {
    const note = formatNote(text, [cosignatureBy(w1, text, 1)]);
    expect(await code(() => openCheckpoint(note, [log.key, w1.key], ed25519))).toBe('NOTE_UNVERIFIED');
  });

  it('that are bad, at another time, too short, or beyond 2^53-1 seconds are refused', async () => {
    const good = cosignatureBy(w1, text, 7);
    const later = { ...good, signature: good.signature.map((byte, i) => (i === 7 ? 8 : byte)) };
    const beyond = { ...good, signature: good.signature.map((byte, i) => (i === 0 ? 255 : byte)) };
    for (const bad of [later, beyond, { ...good, signature: good.signature.subarray(1) }])
      expect(await verified([own, bad])).toBe('NOTE_BAD_SIGNATURE');
    expect(await verified([own, { ...signatureBy(w1, text) }])).toBe('NOTE_BAD_SIGNATURE');
  });

  it('of which one witness gave two are refused, so that counting them counts witnesses', async () => {
    const twice = [cosignatureBy(w1, text, 7), cosignatureBy(w1, text, 8)];
    expect(await verified([own, ...twice])).toBe('NOTE_MALFORMED');
  });
});

describe('tlog-proof files', () => {
  const fields = ['title', 'expect', 'index', 'extra', 'line'];
  it.each(readVectors('ledger/tlog-proofs.txt', fields).map((v) => ({ title: v.one('title'), v })))(
    '$title',
    async ({ v }) => {
      const file = v
        .all('line')
        .map((line) => `${line}\n`)
        .join('');
      const found = await code(() => {
        const { index, extra, hashes, checkpoint: note } = parseTlogProof(file);
        const again = formatTlogProof({ index, extra, hashes, checkpoint: note });
        return { index: String(index), extra: extra === undefined ? extra : utf8Text(extra), again };
      });
      const good = { index: v.maybe('index'), extra: v.maybe('extra'), again: file };
      expect(found).toEqual(v.one('expect') === 'ok' ? good : v.one('expect').slice('refused '.length));
    },
  );

  const leaves = ['a', 'b', 'c'].map((entry) => leafHash(utf8(entry)));
  const [a = leaves[0], b = a, c = a] = leaves;
  if (a === undefined || b === undefined || c === undefined) throw new Error('three leaves');
  const root = nodeHash(nodeHash(a, b), c);
  const small = formatCheckpoint({ origin: ORIGIN, size: 3, root });
  const checkpoint = formatNote(small, [signatureBy(log, small)]);

  it('prove that an entry is in the checkpoint that they carry', async () => {
    const file = formatTlogProof({ extra: undefined, index: 1, hashes: [a, c], checkpoint });
    const proof = parseTlogProof(file);
    verifyTlogProof(proof, b);
    expect(await code(() => verifyTlogProof(proof, a))).toBe('ROOT_MISMATCH');
    expect(await code(() => verifyTlogProof({ ...proof, index: 0 }, b))).toBe('ROOT_MISMATCH');
    expect(await code(() => verifyTlogProof({ ...proof, index: 3 }, b))).toBe('PROOF_RANGE');
    expect(await code(() => verifyTlogProof({ ...proof, hashes: [a] }, b))).toBe('PROOF_HASH_COUNT');
    expect(await code(() => verifyTlogProof({ ...proof, checkpoint: small }, b))).toBe('NOTE_MALFORMED');
  });

  it('come back, with extra data and hashes as they are', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(
        fc.option(fc.uint8Array(), { nil: undefined }),
        fc.maxSafeNat(),
        fc.array(hash, { maxLength: 63 }),
        (extra, index, hashes) => {
          const file = formatTlogProof({ extra, index, hashes, checkpoint });
          const proof = parseTlogProof(file);
          expect(proof.hashes.map(toHex)).toEqual(hashes.map(toHex));
          expect(formatTlogProof(proof)).toBe(file);
        },
      ),
    );
  });

  it('with more than 63 hashes are refused', async () => {
    const hashes = Array.from({ length: 64 }, () => a);
    const file = formatTlogProof({ extra: undefined, index: 1, hashes, checkpoint });
    expect(await code(() => parseTlogProof(file))).toBe('PROOF_HASH_COUNT');
  });

  it('of garbage are refused with our own error, or encode to themselves', async () => {
    const unit = fc.constantFrom(
      'c2sp.org/tlog-proof@v1\n',
      'index 5\n',
      'extra AAAA\n',
      `${ROOT}\n`,
      '\n',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { maxLength: 8 }), async (parts) => {
        const again = await code(() => formatTlogProof(parseTlogProof(parts.join(''))));
        expect([parts.join(''), 'TLOG_PROOF_MALFORMED', 'ENCODING', 'HASH_LENGTH']).toContain(again);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the test log of Tessera', () => {
  const [tessera, ...checkpoints] = readVectors('ledger/test-log.txt', ['vkey', 'entry', 'line']);

  it('has at each size the root and the signature that Tessera gave it', async () => {
    const key = parseVerifierKey(tessera?.one('vkey') ?? '');
    const sizes: number[] = [];
    for (const vector of checkpoints) {
      const note = vector.all('line').map((line) => `${line}\n`);
      const { size, root } = await openCheckpoint(note.join(''), [key], ed25519);
      const frontier = new Frontier();
      for (const entry of (tessera?.all('entry') ?? []).slice(0, size)) frontier.push(leafHash(utf8(entry)));
      expect(toBase64(frontier.root())).toBe(toBase64(root));
      sizes.push(size);
    }
    expect(sizes).toEqual([0, 3, 4]);
  });
});

describe('Ed25519 as RFC 8032 has it', () => {
  const fields = ['seed', 'public-key', 'message', 'signature'];
  it.each(readVectors('ledger/ed25519.txt', fields).map((v) => fields.map((field) => v.one(field))))(
    'with the seed %s',
    async (seed, publicKey, message, signature) => {
      const [key, signed, given] = [publicKey, message, signature].map((hex) => fromHex(hex ?? ''));
      if (key === undefined || signed === undefined || given === undefined) throw new Error('no vector');
      const der = Buffer.concat([
        Buffer.from('302e020100300506032b657004220420', 'hex'),
        fromHex(seed ?? ''),
      ]);
      expect(toHex(sign(null, signed, { key: der, format: 'der', type: 'pkcs8' }))).toBe(signature);
      expect(await ed25519(key, signed, given)).toBe(true);
      const changed = given.slice();
      changed[40] = (changed[40] ?? 0) ^ 1;
      expect(await ed25519(key, signed, changed)).toBe(false);
    },
  );
});
