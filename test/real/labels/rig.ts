/** Labels of statements at a real server, in words that a table of expectations can have. */

import type { StatementLabels } from '../../../packages/gateway/src/core/column-labels.ts';
import type { FunctionKnowledge } from '../../../packages/gateway/src/sql/labels/function-knowledge.ts';
import { TreeRig } from '../server-trees/rig.ts';
import { SHOP } from './schema.ts';

const FIRST_USER_OID = 16_384;

/** Of PostgreSQL's own functions those that these tests call and that are more than pure. */
const MORE_THAN_PURE = {
  sink: ['pg_notify', 'set_config', 'lo_from_bytea'],
  reader: ['query_to_xml'],
} as const;

export interface LabelsRig extends AsyncDisposable {
  readonly trees: TreeRig;
  readonly functions: FunctionKnowledge;
  /** Labels as words: `customers.email`, `customers.*`, `new.1`. */
  readonly words: (labels: StatementLabels) => Words;
}

export interface Words {
  /** `name=table.column` is that column; `name<a, b` is made of those; `name!` nobody knows. */
  readonly out: readonly string[] | undefined;
  readonly uses: readonly string[];
  readonly writes: readonly string[];
  readonly utilities: readonly string[];
}

export async function startLabelsRig(version: string): Promise<LabelsRig> {
  const trees = await TreeRig.start(version);
  await trees.catalog.query(SHOP);
  const columns = await pairs(
    trees,
    `select attrelid || '.' || attnum, relname || '.' || attname from pg_attribute join pg_class c on c.oid = attrelid
     union all select oid || '.0', relname || '.*' from pg_class`,
  );
  const named = await pairs(trees, `select oid::text, proname from pg_proc where oid < ${FIRST_USER_OID}`);
  const kinds = new Map(
    [...named].flatMap(([oid, name]) => {
      const kind = (['sink', 'reader'] as const).find((each) =>
        MORE_THAN_PURE[each].some((one) => one === name),
      );
      return kind === undefined ? [] : [[Number(oid), kind]];
    }),
  );
  return {
    trees,
    functions: { of: (oid) => (oid >= FIRST_USER_OID ? 'opaque' : (kinds.get(oid) ?? 'pure')) },
    words: (labels) => toWords(labels, columns),
    [Symbol.asyncDispose]: () => trees[Symbol.asyncDispose](),
  };
}

async function pairs(trees: TreeRig, sql: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await trees.catalog.query<[string, string]>({ text: sql, rowMode: 'array' });
  return new Map(rows);
}

function toWords(labels: StatementLabels, names: ReadonlyMap<string, string>): Words {
  const name = (label: string): string =>
    names.get(label) ?? label.replace(/^0\./, 'new.').replace(/\.0$/, '.*');
  const list = (set: ReadonlySet<string>): string => [...set].map(name).toSorted().join(', ');
  const view = (oid: number | undefined): string =>
    oid === undefined ? '' : `@${name(`${oid}.0`).slice(0, -2)}`;
  return {
    out: labels.outputs?.map((output) => {
      const { identity, opaque } = output;
      if (identity !== undefined && output.labels.size === 1) return `${output.name}=${name(identity)}`;
      const said = identity === undefined ? '' : `=${name(identity)}`;
      return `${output.name}${said}${opaque === undefined ? '' : '!'}${output.labels.size === 0 ? '' : '<'}${list(output.labels)}`;
    }),
    uses: labels.uses
      .map((use) =>
        `${use.kind}${view(use.view)}${use.opaque === undefined ? '' : '!'} ${list(use.labels)}`.trimEnd(),
      )
      .toSorted(),
    writes: labels.writes
      .map(({ target, labels: from, opaque }) =>
        `${name(target)}${opaque === undefined ? '' : '!'} < ${list(from)}`.trimEnd(),
      )
      .toSorted(),
    utilities: labels.utilities,
  };
}
