/** Statements that programs send every day, and that nobody should notice a mask at, save where it masks. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { APPLICATION } from './application.ts';
import { MAPPED } from './mapped.ts';

export interface Harmless {
  readonly title: string;
  readonly text: string;
  /** Values of its parameters, as text; with any, it goes in the extended protocol. */
  readonly values?: readonly (string | null)[];
  /** Names of its result's columns that hold what is masked. */
  readonly masked?: readonly string[];
  /** It joins everything with everything, and ends when it is stopped. */
  readonly endless?: boolean;
}

/** By their titles. */
export const ENDLESS: ReadonlySet<string> = new Set(['TypeORM, Sequelize, Drizzle 8']);

/** Each list is one session, from its beginning to its end. */
export const HARMLESS: readonly (readonly [session: string, statements: readonly Harmless[]])[] = [
  ['mapped', MAPPED],
  ['application', APPLICATION],
  ['programs', corpus('harmless')],
  ['psql', corpus('psql')],
  ['pg_dump', corpus('pg-dump')],
];

/** As the programs sent them; what needs objects that are not there fails directly, and counts for nothing. */
function corpus(name: string): readonly Harmless[] {
  const file = fileURLToPath(new URL(`../../../vectors/sql/${name}.txt`, import.meta.url));
  const [, ...blocks] = readFileSync(file, 'utf8').split(/^case: /m);
  return blocks.flatMap((block) => {
    const [title = '', ...lines] = block.split('\n');
    const text = lines
      .filter((line) => line.startsWith('>'))
      .map((line) => line.slice(2))
      .join('\n');
    // It waits for data that nobody sends.
    if (/\bfrom stdin\b/i.test(text)) return [];
    const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
    const values = Array.from({ length: Math.max(0, ...numbers) }, () => null);
    const endless = ENDLESS.has(title);
    return [{ title, text, endless, ...(values.length === 0 ? {} : { values }) }];
  });
}
