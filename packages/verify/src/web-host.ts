/** Verification in a browser: WebCrypto, and a file that the user gave. No network, no storage. */

import { concat, toHex } from '@countersign/ledger/bytes';
import { crc32 } from './crc32.ts';
import type { Host, Source, StreamingHash } from './host.ts';

/** The host; {@link supportsEd25519} says whether it will do. */
export function webHost(): Host {
  return { verifyEd25519, makeHash, crc32 };
}

/** RFC 8032, section 7.1, TEST 2: a key, a message and its signature. */
const KNOWN_KEY = '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c';
const KNOWN_MESSAGE = '72';
const KNOWN_SIGNATURE =
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00';

/** Whether this browser checks Ed25519 signatures, and checks them rightly. */
export async function supportsEd25519(): Promise<boolean> {
  try {
    const [key, message, signature] = [KNOWN_KEY, KNOWN_MESSAGE, KNOWN_SIGNATURE].map(bytesOf);
    if (key === undefined || message === undefined || signature === undefined) return false;
    const good = await verifyEd25519(key, message, signature);
    const bad = await verifyEd25519(key, Uint8Array.of(0x73), signature);
    return good && !bad;
  } catch {
    // What the browser does not have, it refuses in many ways; all of them mean no.
    return false;
  }
}

/** A file as the page gets it. */
export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    read: async (from, to) => new Uint8Array(await blob.slice(from, to).arrayBuffer()),
  };
}

async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = await crypto.subtle.importKey('raw', own(publicKey), { name: 'Ed25519' }, false, ['verify']);
  return crypto.subtle.verify({ name: 'Ed25519' }, key, own(signature), own(message));
}

/** WebCrypto takes its input whole; no file of a package is above 100 MB. */
function makeHash(): StreamingHash {
  const pieces: Uint8Array[] = [];
  return {
    update: (bytes) => {
      pieces.push(bytes);
    },
    digest: async () => {
      const whole = own(concat(...pieces));
      pieces.length = 0;
      return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', whole)));
    },
  };
}

/** A copy that is not over shared memory, which is what WebCrypto's types ask for. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
