/** Hidden texts of one session: what a program says again is not looked at again. */

import { REVEAL_LIMITS } from '../core/reveal-limits.ts';
import { type HiddenText, hideText, type Hiding } from './hide-text.ts';

/** Owned by one session. */
export class HiddenTexts {
  /** The one used longest ago first. */
  readonly #known = new Map<string, HiddenText>();

  of(text: Uint8Array, hiding: Hiding): HiddenText {
    if (text.length > REVEAL_LIMITS.hiddenTextBytesMax) return hideText(text, hiding);
    const key = hiding + Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    // The text is a view of what is read into again.
    const hidden = hideText(text.slice(), hiding);
    this.#known.set(key, hidden);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REVEAL_LIMITS.hiddenTextsMax && oldest !== undefined) this.#known.delete(oldest);
    return hidden;
  }
}
