/** What people wrote about a hold, and what they see of it; sealed under the key of its session. */

import { type HoldContent, type HoldRecord, parseContent, type VoteRecord } from './hold-record.ts';
import type { HoldStore } from './hold-store.ts';
import { openText, type SealOptions, type SealPlace } from './sealed-text.ts';

export interface HoldTextsOptions extends Pick<SealOptions, 'keys'> {
  readonly holds: HoldStore;
}

/** A vote with what was said with it. */
type VoteWithComment = VoteRecord & { readonly comment: string | undefined };

/** Reads, and keeps nothing. */
export class HoldTexts {
  readonly #options: HoldTextsOptions;

  constructor(options: HoldTextsOptions) {
    this.#options = options;
  }

  /** The votes on a hold with their comments; one of a session that was shredded has none. */
  async votes(record: HoldRecord): Promise<readonly VoteWithComment[]> {
    const votes = await this.#options.holds.votes(record.id);
    return Promise.all(
      votes.map(async (vote) => {
        const comment = await this.#open(record, `comment ${vote.id}`, vote.sealedComment);
        return { ...vote, comment };
      }),
    );
  }

  /** Why it was withdrawn. */
  reason(record: HoldRecord): Promise<string | undefined> {
    return this.#open(record, 'reason', record.sealedReason);
  }

  /** Why it was opened in an emergency. */
  opening(record: HoldRecord): Promise<string | undefined> {
    return this.#open(record, 'opening', record.sealedOpening);
  }

  /** What was said of that afterwards. */
  review(record: HoldRecord): Promise<string | undefined> {
    return this.#open(record, 'review', record.sealedReview);
  }

  /** What approvers see of the statement; undefined where the session was shredded. */
  async content(record: HoldRecord): Promise<HoldContent | undefined> {
    const text = await this.#open(record, 'request', record.sealed);
    return text === undefined ? undefined : parseContent(text);
  }

  async #open(
    { id, scope }: HoldRecord,
    what: SealPlace['what'],
    sealed: Uint8Array | undefined,
  ): Promise<string | undefined> {
    if (sealed === undefined) return undefined;
    return openText(this.#options, { holdId: id, scope, what }, sealed);
  }
}
