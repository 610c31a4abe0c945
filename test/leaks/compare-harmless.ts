/** Whether everyday statements are answered behind a gateway as they are without one. */

import { OidNames, transcriptOf } from '../differential/transcript.ts';
import type { Endpoint, ServerFrame } from '../differential/wire-client.ts';
import { HARMLESS } from './harmless/harmless.ts';
import type { LeakSearch } from './search.ts';
import { errorOf, StatementSession, unchangedColumns, withoutColumns } from './statement-session.ts';

export interface HarmlessFound {
  passed: number;
  readonly stopped: string[];
  readonly changed: string[];
  readonly leaked: string[];
}

interface Ends {
  readonly directly: Endpoint;
  readonly through: Endpoint;
}

const NO_COLUMNS: ReadonlySet<string> = new Set();

/** @param renew after each session */
export async function compareHarmless(
  search: LeakSearch,
  ends: Ends,
  renew: () => Promise<void>,
): Promise<HarmlessFound> {
  const found: HarmlessFound = { passed: 0, stopped: [], changed: [], leaked: [] };
  for (const [name, statements] of HARMLESS) {
    await compareSession(search, ends, name, statements, found);
    await renew();
  }
  return found;
}

/** A secret is in it, or a masked value that is no secret of letters. */
function isShown(
  search: LeakSearch,
  wanted: readonly ServerFrame[],
  got: readonly ServerFrame[],
  hidden: ReadonlySet<string>,
): boolean {
  if (search.leaksOf(got).length > 0) return true;
  // What stands for an enum is one of its labels, and may be the same.
  return unchangedColumns(wanted, got, hidden).some((name) => !name.endsWith('risk'));
}

/** The same session twice directly, which shows what differs of itself, and once through the gateway. */
async function compareSession(
  search: LeakSearch,
  ends: Ends,
  name: string,
  statements: (typeof HARMLESS)[number][1],
  found: HarmlessFound,
): Promise<void> {
  const first = new StatementSession(ends.directly);
  const again = new StatementSession(ends.directly);
  const through = new StatementSession(ends.through);
  for (const statement of statements) {
    const wanted = await first.run(statement);
    const repeated = await again.run(statement);
    const got = await through.run(statement);
    if (errorOf(wanted) !== undefined) continue;
    const title = `${name}: ${statement.title}`;
    const problem = errorOf(got);
    const hidden = new Set(statement.masked ?? NO_COLUMNS);
    const line = (frames: typeof got): string =>
      transcriptOf(withoutColumns(frames, hidden), new OidNames()).join('\n');
    if (problem !== undefined) found.stopped.push(`${title}: ${problem}`);
    else if (isShown(search, wanted, got, hidden)) found.leaked.push(title);
    else if (line(wanted) === line(repeated) && line(wanted) !== line(got)) found.changed.push(title);
    else found.passed += 1;
  }
  await Promise.all([first.close(), again.close(), through.close()]);
}
