/** A range of a text, shown where it stands. */

import { displayWidth, safeText } from '../recording/table-text.ts';

const LINE_FEED = 0x0a;
/** A line that is longer is not shown: nobody sees where its mark is. */
const COLUMNS_MAX = 400;

const decoder = new TextDecoder();

/**
 * The lines of a text that have bytes [from, to), each with a line below it that marks them.
 *
 * @example
 * ```ts
 * underlined(Buffer.from('drop table a'), 11, 12); // ['drop table a', '           ~']
 * ```
 */
export function underlined(bytes: Uint8Array, from: number, to: number): readonly string[] {
  const lines: string[] = [];
  for (const { begin, end } of linesOf(bytes)) {
    if (begin >= to || end < from) continue;
    const line = shown(bytes, begin, end);
    if (line.length > COLUMNS_MAX) {
      lines.push(`(a line of ${end - begin} bytes)`);
      continue;
    }
    const before = displayWidth(shown(bytes, begin, Math.max(begin, from)));
    const marked = displayWidth(shown(bytes, Math.max(begin, from), Math.min(end, to)));
    if (marked > 0) lines.push(line, `${' '.repeat(before)}${'~'.repeat(marked)}`);
  }
  return lines;
}

function shown(bytes: Uint8Array, from: number, to: number): string {
  return safeText(decoder.decode(bytes.subarray(from, to)).replaceAll('\t', '    '));
}

function* linesOf(bytes: Uint8Array): Generator<{ readonly begin: number; readonly end: number }> {
  let begin = 0;
  for (;;) {
    const feed = bytes.indexOf(LINE_FEED, begin);
    yield { begin, end: feed === -1 ? bytes.length : feed };
    if (feed === -1) return;
    begin = feed + 1;
  }
}
