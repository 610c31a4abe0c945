/** The Masks of the battery, and whether this build takes Masks at all. */

import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import { parseResource } from '../../packages/gateway/src/resources/parse.ts';
import { MASKED_COLUMNS } from './schema.ts';

/** Whether `apply` takes the kind; as long as it is refused, there is nothing to try against. */
export function masksAreEnforced(): boolean {
  try {
    parseResource({ kind: 'Mask', name: 'probe', columns: ['customers.email'], as: 'redact' });
    return true;
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'RESOURCE_NOT_ENFORCED') {
      process.stdout.write(
        '\n!!! The kind Mask is not enforced yet: NOTHING of the leak battery runs behind a gateway.\n',
      );
      return false;
    }
    throw error;
  }
}

/** What masks leave of a value depends on the operator; some leave a part of it. */
const OPERATORS: Readonly<Record<string, string>> = {
  'customers.email': 'partial',
  'customers.card': '{ kind: partial, keepLast: 4 }',
  'customers.national_id': 'hash',
  'customers.phone': 'mask',
  'customers.account_no': 'nullify',
  'customers.secret': 'nullify',
};

/** A Mask a column, each with an operator of its own. */
export const MIXED_MASKS: string = MASKED_COLUMNS.map((column, at) =>
  mask(`mask-${at}`, [column], OPERATORS[column] ?? 'redact'),
).join('---\n');

/** One Mask that leaves nothing of any value. */
export const FULL_MASKS: string = mask('everything', MASKED_COLUMNS, 'redact');

/** Operators that the target has none of become `redact`. */
export const SERVER_ROLE_MASKS: string = MASKED_COLUMNS.map((column, at) => {
  const as = OPERATORS[column] ?? 'redact';
  return mask(`mask-${at}`, [column], as === 'hash' ? 'redact' : as, 'server-role');
}).join('---\n');

function mask(name: string, columns: readonly string[], as: string, mode = 'strict'): string {
  const names = columns.map((column) => `'${column}'`).join(', ');
  return `kind: Mask\nname: ${name}\ncolumns: [${names}]\nas: ${as}\nmode: ${mode}\n`;
}

/** Nothing but Masks stops anything. */
export const EVERYTHING_MAY = `
kind: Access
name: search-team
who: [group:search]
to: [CONNECTIONS]
may: [read, write, export, define, maintain, grant, run, administer, code, call, host, remote, admin, sleep, setting-risky, two-phase, large-object, function-unknown, notify, unknown]
`;

/** A Connection to one database of the server. */
export function connection(name: string, port: number, database: string): string {
  return `
kind: Connection
name: ${name}
protocol: postgres
target: { host: 127.0.0.1, port: ${port}, database: ${database}, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
`;
}
