/**
 * `tls-server-end-point`: the hash of a TLS server's certificate, which SCRAM-SHA-256-PLUS binds a login to.
 *
 * Spec: RFC 5929, section 4.1 (https://www.rfc-editor.org/rfc/rfc5929#section-4.1); RFC 5280, section
 * 4.1.1.2; RFC 4055, section 3.1 for RSASSA-PSS. PostgreSQL takes the hash as OpenSSL's
 * X509_get_signature_info names it.
 * Grammar: Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm AlgorithmIdentifier, … };
 * AlgorithmIdentifier ::= SEQUENCE { OBJECT IDENTIFIER, parameters }, in DER.
 * Refused: a signature that names no hash (Ed25519, Ed448, ML-DSA), which RFC 5929 leaves open, and
 * SHA-3, which libpq cannot name on the OpenSSL of most machines ("could not determine server
 * certificate signature algorithm"). The caller then does without channel binding, or not at all.
 * Untrusted: every byte of a target's certificate.
 */

import { createHash } from 'node:crypto';

const TAG = { objectIdentifier: 0x06, context0: 0xa0 } as const;

/** Content bytes of the identifier of RSASSA-PSS, whose parameters name the hash. */
const RSASSA_PSS = '2a864886f70d01010a';

/** MD5 and SHA-1 are replaced by SHA-256 (RFC 5929, section 4.1). */
const REPLACED = 'sha256';

/** The hash of a signature algorithm, or of a hash algorithm in the parameters of RSASSA-PSS. */
const HASHES: Readonly<Record<string, string>> = {
  // RSA, PKCS #1 v1.5: RFC 8017, appendix C.
  '2a864886f70d010104': REPLACED,
  '2a864886f70d010105': REPLACED,
  '2b0e03021d': REPLACED,
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a864886f70d01010f': 'sha512-224',
  '2a864886f70d010110': 'sha512-256',
  // ECDSA: RFC 5758, section 3.2.
  '2a8648ce3d0401': REPLACED,
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  // DSA: RFC 5758, section 3.1.
  '2a8648ce380403': REPLACED,
  '608648016503040301': 'sha224',
  '608648016503040302': 'sha256',
  '608648016503040303': 'sha384',
  '608648016503040304': 'sha512',
  // Hashes themselves: RFC 4055, section 2.1; RFC 8017, appendix B.1.
  '2a864886f70d0205': REPLACED,
  '2b0e03021a': REPLACED,
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
  '608648016503040205': 'sha512-224',
  '608648016503040206': 'sha512-256',
};

/** The binding data of a certificate in DER, or nothing where its signature names no hash. */
export function tlsServerEndPoint(certificate: Uint8Array): Uint8Array | undefined {
  const name = signatureHash(certificate);
  return name === undefined ? undefined : createHash(name).update(certificate).digest();
}

function signatureHash(certificate: Uint8Array): string | undefined {
  const [whole] = elements(certificate);
  const [, algorithm] = elements(whole?.content);
  const [identifier, parameters] = elements(algorithm?.content);
  const oid = objectIdentifier(identifier);
  if (oid !== RSASSA_PSS) return oid === undefined ? undefined : HASHES[oid];
  // RFC 4055, section 3.1: hashAlgorithm [0], and SHA-1 where it is left out.
  const hashAlgorithm = elements(parameters?.content).find(({ tag }) => tag === TAG.context0);
  if (hashAlgorithm === undefined) return REPLACED;
  const [sequence] = elements(hashAlgorithm.content);
  const hash = objectIdentifier(elements(sequence?.content)[0]);
  return hash === undefined ? undefined : HASHES[hash];
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements one after another; what is not whole ends the list. */
function elements(bytes: Uint8Array | undefined): readonly Element[] {
  const found: Element[] = [];
  if (bytes === undefined) return found;
  for (let offset = 0; offset + 2 <= bytes.length; ) {
    // X.690, section 8.1.3: a definite length, here of at most three bytes.
    const first = bytes[offset + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || lengthBytes > 3) return found;
    let length = lengthBytes === 0 ? first : 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[offset + 2 + i] ?? 0);
    const begin = offset + 2 + lengthBytes;
    offset = begin + length;
    if (offset > bytes.length) return found;
    found.push({ tag: bytes[begin - 2 - lengthBytes] ?? 0, content: bytes.subarray(begin, offset) });
  }
  return found;
}

function objectIdentifier(found: Element | undefined): string | undefined {
  return found?.tag === TAG.objectIdentifier ? Buffer.from(found.content).toString('hex') : undefined;
}
