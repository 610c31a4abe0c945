/** Holds as a list of eighty columns. */

import type { ApprovalRow } from '../api/answers.ts';
import { shortIds } from './hold-ids.ts';
import { columnsWithin, oneLine, shortTime } from './output.ts';

/** What a terminal has at least. */
const LIST_COLUMNS = 80;
const LIST_HEAD = ['ID', 'STATE', 'VOTES', 'UNTIL', 'WHO', 'CONNECTION', 'RULE'];
/** Those with names, which people make as long as they like. */
const CUT = ['WHO', 'CONNECTION', 'RULE'];

/** One line for each, and one more for what was opened by break-glass; --json has everything in whole, `show` what is left out. */
export function listLines(holds: readonly ApprovalRow[]): string[] {
  const ids = shortIds(holds.map(({ id }) => id));
  const rows = holds.map((hold, at) => [
    ids[at] ?? hold.id,
    hold.state,
    `${hold.approved} of ${hold.count}`,
    // Holds are of days: the year is in `show`.
    `${shortTime(hold.useUntil ?? hold.expiresAt).slice(5, 16)}Z`,
    hold.requester,
    hold.connection ?? hold.protocol,
    hold.rule,
  ]);
  const [head = '', ...lines] = columnsWithin(LIST_COLUMNS, LIST_HEAD, rows, CUT);
  return [
    head,
    ...lines.flatMap((line, at) => {
      const hold = holds[at];
      const said = hold === undefined ? '' : reviewText(hold);
      return said === '' ? [line] : [line, `  ${oneLine(`by break-glass, ${said}`, LIST_COLUMNS - 2)}`];
    }),
  ];
}

/** When it has to be reviewed, or what was said of it. */
export function reviewText({ review: said, reviewBy }: ApprovalRow): string {
  return said === 'unreviewed' ? `review by ${shortTime(reviewBy ?? '')}` : (said ?? '');
}

/** Connection and database, or what it is about. */
export function whereOf({ protocol, connection, database }: ApprovalRow): string {
  if (connection === undefined) return protocol;
  // Of HTTP there is none.
  return database === undefined || database === '' ? connection : `${connection}/${database}`;
}
