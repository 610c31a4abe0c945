/**
 * inet, cidr and macaddr of which the host's part is cut away.
 *
 * Spec: PostgreSQL 18, `src/backend/utils/adt/network.c`, network_recv: family (2, 3), bits, is_cidr,
 * length, address.
 */

import { bytesOfHex, joined, malformed, ValueReader } from './bytes.ts';
import type { Wire } from './operator.ts';
import { utf8Bytes } from './text-encoding.ts';

/** Bits of a network that stay: what is commonly taken for no longer one person's. */
const KEPT_BITS: ReadonlyMap<number, number> = new Map([
  [4, 24],
  [16, 48],
]);
/** The manufacturer's part of a hardware address. */
const OUI_BYTES = 3;

/** The network of an address, as the type that it is. */
export function networkOf(
  value: Uint8Array,
  text: string | undefined,
  wire: Wire,
  isCidr: boolean,
): Uint8Array {
  const { address, bits } = text === undefined ? addressOfBinary(value) : addressOfText(text);
  const kept = Math.min(bits, KEPT_BITS.get(address.length) ?? 0);
  const network = address.map((byte, index) => byte & maskOf(kept - 8 * index));
  if (wire.format === 'text') return utf8Bytes(`${addressText(network)}/${kept}`);
  const family = network.length === 4 ? 2 : 3;
  return joined([Uint8Array.of(family, kept, isCidr ? 1 : 0, network.length), network]);
}

/** The hardware address with its manufacturer, and zeros. */
export function manufacturerOf(value: Uint8Array, text: string | undefined): Uint8Array {
  if (text === undefined) return value.map((byte, index) => (index < OUI_BYTES ? byte : 0));
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5,7}$/i.test(text)) throw malformed('a hardware address');
  return utf8Bytes(
    text
      .split(':')
      .map((byte, index) => (index < OUI_BYTES ? byte : '00'))
      .join(':'),
  );
}

interface Address {
  readonly address: Uint8Array;
  readonly bits: number;
}

function addressOfBinary(value: Uint8Array): Address {
  const reader = new ValueReader(value, 'a network address');
  reader.uint8();
  const bits = reader.uint8();
  reader.uint8();
  const length = reader.uint8();
  const address = reader.bytes(length);
  reader.end();
  if (!KEPT_BITS.has(length) || bits > 8 * length) throw malformed('a network address');
  return { address, bits };
}

function addressOfText(text: string): Address {
  const [host = '', prefix] = text.split('/');
  const address = host.includes(':') ? sixOf(host) : fourOf(host);
  const bits = prefix === undefined ? 8 * (address?.length ?? 0) : Number(prefix);
  if (address === undefined || !(bits <= 8 * address.length)) throw malformed('a network address');
  return { address, bits };
}

function fourOf(text: string): Uint8Array | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const numbers = text.split('.').map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

/** RFC 4291, section 2.2; the last 32 bits may be written as IPv4. */
function sixOf(text: string): Uint8Array | undefined {
  const four = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = four === null ? undefined : fourOf(four[2] ?? '');
  if (four !== null && tail === undefined) return undefined;
  const words = tail === undefined ? text : `${four?.[1] ?? ''}0:0`;
  const [head = '', rest, ...more] = words.split('::');
  if (more.length > 0) return undefined;
  const before = head === '' ? [] : head.split(':');
  const after = rest === undefined || rest === '' ? [] : rest.split(':');
  const missing = 8 - before.length - after.length;
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined;
  const address = bytesOfHex(all.map((word) => word.padStart(4, '0')).join(''));
  if (tail !== undefined) address?.set(tail, 12);
  return address;
}

function addressText(address: Uint8Array): string {
  if (address.length === 4) return address.join('.');
  // No more than 48 bits stay: the rest is zeros.
  const words = [0, 2, 4].map((at) => (((address[at] ?? 0) << 8) | (address[at + 1] ?? 0)).toString(16));
  return `${words.join(':').replace(/(^|:)0(:0)*$/, '')}::`;
}

/** Eight bits, of which the first `bits` are set. */
function maskOf(bits: number): number {
  return 0xff & (0xff00 >> Math.max(0, Math.min(8, bits)));
}
