/**
 * The text of a leaf out of an event, in the order of its keys.
 *
 * Spec: spec/ledger.md, section 2. What comes out is, character for character, what `formatLeaf` of the
 * ledger package gives; a test holds the two together. The writer makes thousands a second.
 */

import { jcs } from '@countersign/ledger/jcs';
import { formatTimeUs } from '../core/clock.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';

/** What the writer adds to an event. */
export interface LeafPosition {
  readonly origin: string;
  readonly bootId: string;
  readonly index: number;
  readonly timeUs: number;
  /** Position in the session; absent where the event belongs to none. */
  readonly seq: number | undefined;
  /** Commitment to the body, hex; absent where there is none. */
  readonly body: string | undefined;
}

/** Pseudonyms, ids, types and digests are plain text by their syntax; names may be any text. */
export function leafText(event: LedgerEvent, position: LeafPosition): string {
  const { actor, decision, policy, ref, session, status, target } = event;
  const { body, seq } = position;
  let text = '{';
  if (actor !== undefined) text += `"actor":"${actor}",`;
  if (body !== undefined) text += `"body":"${body}",`;
  text += `"boot":"${position.bootId}",`;
  if (decision !== undefined) text += `"decision":"${decision}",`;
  text += `"kind":"${event.kind}","log":${quotedText(position.origin)},"n":${position.index},`;
  if (policy !== undefined) text += `"policy":"${policy}",`;
  if (ref !== undefined) text += `"ref":${ref},`;
  if (seq !== undefined) text += `"seq":${seq},`;
  if (session !== undefined) text += `"session":"${session}",`;
  if (status !== undefined) text += `"status":"${status}",`;
  text += `"t":"${timeText(position.timeUs)}",`;
  if (target !== undefined) text += `"target":${quotedText(target)},`;
  return `${text}"type":"${event.type}","v":1}`;
}

/** Origins and names of connections are few and come again and again. */
const quotedTexts = new Map<string, string>();
const QUOTED_TEXTS_MAX = 1024;

function quotedText(text: string): string {
  const known = quotedTexts.get(text);
  if (known !== undefined) return known;
  if (quotedTexts.size >= QUOTED_TEXTS_MAX) quotedTexts.clear();
  const quoted = jcs(text);
  quotedTexts.set(text, quoted);
  return quoted;
}

const lastSecond = { us: -1, text: '' };
const SECOND_US = 1_000_000;

/** The same second needs its date written once. */
function timeText(timeUs: number): string {
  const restUs = timeUs % SECOND_US;
  const secondUs = timeUs - restUs;
  if (secondUs !== lastSecond.us) {
    lastSecond.us = secondUs;
    lastSecond.text = formatTimeUs(secondUs).slice(0, 20);
  }
  return `${lastSecond.text}${String(restUs).padStart(6, '0')}Z`;
}
