/**
 * Texts of which something stays: `mask` and `partial`.
 *
 * Spec: spec/masking-operators.md, section 1. What is not kept becomes `*`, one for each code point, so
 * that a text keeps its length.
 */

import type { Partial } from './operator.ts';

/** What stays of a text that is masked: the marks that people write numbers and addresses with. */
const SEPARATOR = ' \\-./:@_,()+';
const NOT_SEPARATOR = new RegExp(`[^${SEPARATOR}]`, 'gsu');
/** Four in a row are no format any more, but a secret made of signs. */
const SEPARATOR_RUN = new RegExp(`[${SEPARATOR}]{4,}`, 'g');
const ALPHANUMERIC = /[\p{L}\p{N}]/u;
/** Whether it is one, for each of ASCII, where most texts have all of theirs. */
const IS_ALPHANUMERIC = Array.from({ length: 0x80 }, (_, code) =>
  ALPHANUMERIC.test(String.fromCharCode(code)),
);

/** Every character becomes `*`, except separators that stand for themselves. */
export function starred(text: string): string {
  return text.replace(NOT_SEPARATOR, '*').replace(SEPARATOR_RUN, (run) => '*'.repeat(run.length));
}

interface Kept {
  readonly first: number;
  readonly last: number;
}

/** How much of which entity is usual to show; PCI DSS 3.4.1 for cards. */
const KEPT: Readonly<Record<string, Kept>> = {
  CREDIT_CARD: { first: 0, last: 4 },
  PHONE: { first: 0, last: 2 },
  IBAN: { first: 2, last: 4 },
  // Whoever has the end of one knows which one it is, and has less to guess.
  ...Object.fromEntries(
    ['CVV', 'JWT', 'PRIVATE_KEY', 'SECRET', 'TRACK_DATA', 'URL_CREDENTIALS'].map((entity) => [
      entity,
      { first: 0, last: 0 },
    ]),
  ),
};
const KEPT_OTHERWISE: Kept = { first: 0, last: 4 };
/** PCI DSS 3.4.1: at most the first six (eight with some issuers) and the last four. */
const CARD_KEPT_MAX: Kept = { first: 6, last: 4 };
/** A value of which only so much more than the kept part would be hidden is hidden whole. */
export const STARRED_HIDDEN_MIN = 3;

type PartOf = (text: string, operator: Partial) => string | undefined;

/** Entities whose shown part is not their ends; undefined for a text that is not of their form. */
const PARTS: Readonly<Record<string, PartOf>> = {
  EMAIL: partOfEmail,
  IP_ADDRESS: partOfAddress,
  IPV4: partOfAddress,
  IPV6: partOfAddress,
  URL_CREDENTIALS: partOfUrl,
};

/** The text with the usual part of it, or the one that was asked for, left to see. */
export function partly(text: string, entity: string, operator: Partial): string {
  const partOf = PARTS[entity];
  if (partOf === undefined) return withEnds(text, keptOf(entity, operator));
  // What is not of its form is something else: no end of it is known to be harmless.
  return partOf(text, operator) ?? starred(text);
}

/** Whether `partial` shows another part of the entity than its ends. */
export function hasPartOfItsForm(entity: string): boolean {
  return PARTS[entity] !== undefined;
}

/** How many letters and digits of an entity `partial` shows at both ends. */
export function keptOf(entity: string, { keepFirst, keepLast }: Partial): Kept {
  const usual = KEPT[entity] ?? KEPT_OTHERWISE;
  const first = keepFirst ?? (keepLast === undefined ? usual.first : 0);
  const last = keepLast ?? (keepFirst === undefined ? usual.last : 0);
  if (entity !== 'CREDIT_CARD') return { first, last };
  return { first: Math.min(first, CARD_KEPT_MAX.first), last: Math.min(last, CARD_KEPT_MAX.last) };
}

/** Letters and digits are counted; what stands between them is kept or hidden as in {@link starred}. */
function withEnds(text: string, { first, last }: Kept): string {
  const characters = Array.from(text);
  const counted = characters.filter(isAlphanumeric).length;
  if (counted < first + last + STARRED_HIDDEN_MIN) return starred(text);
  const start = indexAfter(characters, first);
  const end = characters.length - indexAfter(characters.toReversed(), last);
  const hidden = starred(characters.slice(start, end).join(''));
  return characters.slice(0, start).join('') + hidden + characters.slice(end).join('');
}

function isAlphanumeric(character: string): boolean {
  return IS_ALPHANUMERIC[character.charCodeAt(0)] ?? ALPHANUMERIC.test(character);
}

/** Where so many letters and digits are over; what follows the last of them is not of the kept part. */
function indexAfter(characters: readonly string[], count: number): number {
  let left = count;
  let index = 0;
  while (left > 0) {
    if (isAlphanumeric(characters[index] ?? '')) left -= 1;
    index += 1;
  }
  return index;
}

/** `m***@corp.com`; three stars always, so that the length is not shown. */
function partOfEmail(text: string, { keepFirst = 1 }: Partial): string | undefined {
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = Array.from(text.slice(0, at));
  // A quoted local part has an @ or a space of its own: nothing of it is shown.
  const kept =
    local.length < keepFirst + STARRED_HIDDEN_MIN || local[0] === '"' ? [] : local.slice(0, keepFirst);
  return `${kept.join('')}***${text.slice(at)}`;
}

/** The network stays, /24 of IPv4 and /48 of IPv6. */
function partOfAddress(text: string): string | undefined {
  const four = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/.exec(text);
  if (four?.[1] !== undefined) return `${four[1]}.*`;
  const six = /^([0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}):[0-9a-f:.]+$/i.exec(text);
  return six?.[1] === undefined ? undefined : `${six[1]}:*`;
}

/** The password of a whole URL goes. It may have an @ itself: everything up to the last one is hidden. */
function partOfUrl(text: string): string | undefined {
  const parts = /^([a-z][a-z0-9+.-]*:\/\/[^:@/\s]*:).*(@[^@]*)$/is.exec(text);
  return parts === null ? undefined : `${parts[1] ?? ''}***${parts[2] ?? ''}`;
}
