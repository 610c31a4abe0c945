/**
 * A self-signed certificate, for a gateway that was given none.
 *
 * Spec: RFC 5280, section 4.1; ECDSA on P-256 with SHA-256 (RFC 5758). Clients that verify need a real one.
 */

import { generateKeyPairSync, sign } from 'node:crypto';

const DAY_MS = 86_400_000;
/** RFC 5280, section 4.1.2.5: until 2049 a UTCTime. */
const LIFETIME_DAYS = 825;

const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
} as const;

export interface CertificateOptions {
  /** DNS names it is for; the first is the common name. */
  readonly names: readonly [string, ...string[]];
  readonly nowMs: number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** PEM texts of a new certificate and its key. */
export function selfSignedCertificate(options: CertificateOptions): {
  readonly cert: string;
  readonly key: string;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(der(0x06, Buffer.from(OID.ecdsaWithSha256)));
  const name = commonName(options.names[0]);
  const serial = Buffer.from(options.randomBytes(16));
  // A serial number is positive and has no leading zero.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const validity = sequence(utcTime(options.nowMs - DAY_MS), utcTime(options.nowMs + LIFETIME_DAYS * DAY_MS));
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(subjectAltName(options.names), basicConstraints())),
  );
  const signature = sign('sha256', tbs, privateKey);
  const certificate = sequence(tbs, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const base64 = certificate.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Tag, length, value (X.690, section 8.1); definite lengths in their shortest form. */
function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), value]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), value]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function commonName(text: string): Buffer {
  return sequence(der(0x31, sequence(der(0x06, Buffer.from(OID.commonName)), der(0x0c, Buffer.from(text)))));
}

function subjectAltName(names: readonly string[]): Buffer {
  const dnsNames = names.map((name) => der(0x82, Buffer.from(name, 'latin1')));
  const loopback = der(0x87, Buffer.of(127, 0, 0, 1));
  return extension(OID.subjectAltName, false, sequence(...dnsNames, loopback));
}

function basicConstraints(): Buffer {
  return extension(OID.basicConstraints, true, sequence());
}

function extension(oid: readonly number[], critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(0x01, Buffer.of(0xff))] : [];
  return sequence(der(0x06, Buffer.from(oid)), ...flag, der(0x04, value));
}

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}
