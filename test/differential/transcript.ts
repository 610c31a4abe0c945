/**
 * What a client was sent, as lines that can be compared.
 *
 * Everything counts, byte by byte, but for what no two sessions share: the cancel key, process ids, the
 * authentication exchange, and the OIDs of objects that the script made itself (numbered as they appear).
 */

import { createHash } from 'node:crypto';
import type { ServerFrame } from './wire-client.ts';

/** OIDs below are PostgreSQL's own, the same in every database. */
const FIRST_NORMAL_OID = 16_384;
/** Longer bodies stand by their digest. */
const SHOWN_BYTES_MAX = 2_000;

/** Numbers the OIDs of one run in the order in which they appear. */
export class OidNames {
  readonly #known = new Map<number, number>();

  of(oid: number): number {
    if (oid < FIRST_NORMAL_OID) return oid;
    const known = this.#known.get(oid) ?? FIRST_NORMAL_OID + this.#known.size;
    this.#known.set(oid, known);
    return known;
  }
}

/** The messages of one session from the first ParameterStatus on. */
export function transcriptOf(frames: readonly ServerFrame[], oids: OidNames): string[] {
  return frames.filter(({ type }) => type !== 'R' && type !== 'K').map((frame) => lineOf(frame, oids));
}

function lineOf(frame: ServerFrame, oids: OidNames): string {
  const body = normalised(frame, oids);
  if (body.length <= SHOWN_BYTES_MAX) return `${frame.type} ${shown(body)}`;
  const sha256 = createHash('sha256').update(body).digest('hex');
  return `${frame.type} ${body.length} bytes, ${sha256}, ${shown(body.subarray(0, 100))}`;
}

function normalised({ type, body }: ServerFrame, oids: OidNames): Buffer {
  switch (type) {
    case 'A': {
      const copy = Buffer.from(body);
      copy.writeUInt32BE(0, 0);
      return copy;
    }
    case 'T':
      return withRowOids(body, oids);
    case 't': {
      const copy = Buffer.from(body);
      for (let at = 2; at < copy.length; at += 4) copy.writeUInt32BE(oids.of(copy.readUInt32BE(at)), at);
      return copy;
    }
    case 'E':
    case 'N':
      return Buffer.from(
        body
          .toString('latin1')
          .replaceAll(/([Pp]rocess|PID) \d+/g, '$1 #')
          .replaceAll(/\b(transaction|relation|database) \d{3,}/g, '$1 #')
          .replaceAll(/pg_temp_\d+/g, 'pg_temp_#'),
        'latin1',
      );
    default:
      return body;
  }
}

/** RowDescription: the table's OID and the type's OID of each column. */
function withRowOids(body: Buffer, oids: OidNames): Buffer {
  const copy = Buffer.from(body);
  let at = 2;
  for (let left = copy.readUInt16BE(0); left > 0; left -= 1) {
    const behindName = copy.indexOf(0, at) + 1;
    copy.writeUInt32BE(oids.of(copy.readUInt32BE(behindName)), behindName);
    copy.writeUInt32BE(oids.of(copy.readUInt32BE(behindName + 6)), behindName + 6);
    at = behindName + 18;
  }
  return copy;
}

/** Printable ASCII as it is, all else as \xx. */
function shown(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^ -[\]-~]/g, (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
