/** Texts as a lexical reranker sees them: words, and a title where there is one. */

/** Runs of letters, marks and digits; everything else stands between words. */
const WORD = /[\p{L}\p{M}\p{N}]+/gu;

/** A first line up to this many characters is a title, a longer one is a paragraph. */
const TITLE_LENGTH_MAX = 120;

/** What is ranked: a title, which may be empty, and the rest. */
export interface Passage {
  readonly title: string;
  readonly text: string;
}

/**
 * The first words of a text, in small letters. Nothing is stemmed and no word is left out, so that a word is
 * equal to another, or it is not: a pseudonym that is given word by word ranks as the word itself.
 */
export function wordsOf(text: string, wordsMax: number): readonly string[] {
  const words: string[] = [];
  WORD.lastIndex = 0;
  while (words.length < wordsMax) {
    const found = WORD.exec(text);
    if (found === null) break;
    words.push(found[0].normalize('NFKC').toLowerCase());
  }
  return words;
}

/** A plain text: its first line is the title where it is short and more follows, as in `title\nbody`. */
export function passageOf(text: string): Passage {
  const end = text.indexOf('\n');
  const isTitle = end > 0 && end <= TITLE_LENGTH_MAX && end < text.length - 1;
  return isTitle ? { title: text.slice(0, end), text: text.slice(end + 1) } : { title: '', text };
}
