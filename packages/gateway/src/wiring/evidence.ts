/** Evidence packages of this gateway's log, signed with its current key. */

import { sign } from 'node:crypto';
import { formatNote, formatVerifierKey, makeVerifierKey, SIGNATURE_TYPE } from '@countersign/ledger/note';
import type { ExportedPackage, ExportRequest } from '../api/ports.ts';
import type { Config } from '../config/config.ts';
import { exportInThread } from '../evidence/export-thread.ts';
import {
  loadFormerSigningKeys,
  loadSigningKey,
  type SigningKey,
  type SigningKeyOptions,
} from '../keys/signing-key.ts';
import type { Rooms } from './rooms.ts';

export function evidenceExporter(
  config: Config,
  rooms: Rooms,
  options: { readonly software: string; readonly randomBytes: (length: number) => Uint8Array },
): (request: ExportRequest) => Promise<ExportedPackage> {
  const { origin } = config;
  const { installationKey, keys, ledger } = rooms;
  const { software, randomBytes } = options;
  const keyOptions: SigningKeyOptions = { file: config.ledger.keyFile, installationKey, randomBytes };
  return async ({ fromUs, toUs, file }) => {
    const current = await loadSigningKey(keyOptions);
    const former = await loadFormerSigningKeys(keyOptions);
    const result = await exportInThread({
      log: config.ledger.directory,
      recordings: config.recording.directory,
      keys,
      origin,
      verifierKeys: [...former, current].map((key) => formatVerifierKey(verifierKeyOf(origin, key))),
      fromUs,
      toUs,
      out: file,
      software,
      checkpointNow: () => ledger.checkpoint(),
      sign: (text) => signNote(origin, current, text),
    });
    const { packageId, sha256, bytes, leaves, startSize, endSize } = result;
    return { packageId, sha256, bytes, leaves, checkpointStart: startSize, checkpointEnd: endSize };
  };
}

function signNote(origin: string, key: SigningKey, text: string): string {
  const { name, keyId } = verifierKeyOf(origin, key);
  return formatNote(text, [{ name, keyId, signature: sign(null, Buffer.from(text), key.privateKey) }]);
}

function verifierKeyOf(origin: string, key: SigningKey): ReturnType<typeof makeVerifierKey> {
  return makeVerifierKey(origin, SIGNATURE_TYPE.ed25519, key.publicKey);
}
