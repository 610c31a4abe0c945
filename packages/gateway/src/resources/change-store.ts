/**
 * The store's side of a change: reserve, take effect, release; and what a crash left in between.
 *
 * 1. `reserve`: the versions are still the planned ones, and a row in `resource_changes` for each
 *    resource keeps everybody else from it.
 * 2. The leaves are written; not here.
 * 3. `takeEffect`: one transaction changes the resources and removes the rows.
 */

import type { Kysely, Transaction } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import { deleteConnectionPassword } from '../keys/connection-password.ts';
import type { ResourceChangesTable, ResourcesTable, Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { ResourceDocument } from './documents.ts';
import { canonical, parseResource } from './parse.ts';
import type { PlannedChange } from './plan.ts';
import { digestOf, keyOf, type StoredResource } from './view.ts';

/** What identity does when people and service accounts change. */
export interface PrincipalsPort {
  /**
   * Makes the principal of a name, or brings it up to date, inside of `tx`. What it returns is called
   * after the commit. A deleted resource disables its principal, because leaves name it.
   */
  upsert(
    account: {
      readonly name: string;
      readonly kind: 'user' | 'service' | 'ci';
      readonly displayName: string;
      readonly groups: readonly string[];
      readonly disabled: boolean;
    },
    tx: Transaction<Schema>,
  ): Promise<(() => void) | undefined>;
}

/** One change of a group, as `resource_changes` holds it. */
export type ChangeRow = ResourceChangesTable;

/** Everything that is in effect, and the last version of everything that ever was. */
export async function loadResources(db: Kysely<Schema>): Promise<{
  readonly resources: readonly StoredResource[];
  readonly versions: ReadonlyMap<string, number>;
}> {
  const rows = await db.selectFrom('resources').selectAll().execute();
  const resources = rows.filter((row) => row.document !== '').map(parseRow);
  return { resources, versions: new Map(rows.map((row) => [keyOf(row), row.version])) };
}

/** The resources after a change, from those before it. */
export function resourcesAfter(
  before: readonly StoredResource[],
  rows: readonly ChangeRow[],
): readonly StoredResource[] {
  const after = new Map(before.map((resource) => [keyOf(resource.document), resource]));
  for (const row of rows) {
    if (row.document === null) after.delete(keyOf(row));
    else after.set(keyOf(row), parseRow({ ...row, document: row.document }));
  }
  return [...after.values()];
}

/** The rows of a group of planned changes. */
export function rowsOf(
  changes: readonly PlannedChange[],
  group: { readonly change: string; readonly node: string; readonly changedUs: number; readonly by: string },
): readonly ChangeRow[] {
  return changes.map((planned) => ({
    kind: planned.kind,
    name: planned.name,
    node: group.node,
    change: group.change,
    previous_version: planned.previousVersion,
    version: planned.version,
    document: planned.action === 'deleted' ? null : planned.text,
    digest: planned.digest,
    changed_us: group.changedUs,
    changed_by: group.by,
  }));
}

/** What a gateway knew when it judged whether a rule holds a change. */
export interface Judged {
  /** Last version of each resource, by `Kind/name`. */
  readonly versions: ReadonlyMap<string, number>;
  readonly hasGuards: boolean;
  readonly node: string;
}

/** STATE_CONFLICT where somebody else changed one of them, or what it was judged by, or is about to. */
export async function reserve(store: Store, rows: readonly ChangeRow[], judged: Judged): Promise<void> {
  await store.transaction(async (tx) => {
    await expectJudged(tx, judged);
    for (const row of rows) {
      const { numInsertedOrUpdatedRows } = await tx
        .insertInto('resource_changes')
        .values(row)
        .onConflict((conflict) => conflict.columns(['kind', 'name']).doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows !== 1n) throw conflictOf(row, 'another change of it is under way');
      // After the row is ours: PostgreSQL made us wait for the change before, and this sees its version.
      await expectVersion(tx, row);
    }
  });
}

/**
 * STATE_CONFLICT where another gateway made a rule, or changed whom one stands on, of which the gateway that
 * judged does not know.
 */
export async function expectJudged(
  tx: Transaction<Schema>,
  { versions, hasGuards, node }: Judged,
): Promise<void> {
  // One gateway after the other, so that none judges past another: this row is there in every store.
  await tx
    .updateTable('meta')
    .set((eb) => ({ value: eb.ref('value') }))
    .where('key', '=', 'schema_version')
    .execute();
  const kinds = hasGuards ? ['Group', 'Person', 'Rule', 'ServiceAccount'] : ['Rule'];
  const rows = await tx
    .selectFrom('resources')
    .select(['kind', 'name', 'version'])
    .where('kind', 'in', kinds)
    .execute();
  const unknown = rows.find((row) => versions.get(keyOf(row)) !== row.version);
  if (unknown !== undefined) throw conflictOf(unknown, 'another gateway changed it; try again');
  if (!hasGuards) return;
  const pending = await tx
    .selectFrom('resource_changes')
    .select(['kind', 'name'])
    .where('kind', 'in', kinds)
    .where('node', '<>', node)
    .executeTakeFirst();
  if (pending !== undefined) throw conflictOf(pending, 'another gateway is changing it');
}

/** Undoes a reservation whose leaves were not written. */
export async function release(store: Store, change: string): Promise<void> {
  await store.db.deleteFrom('resource_changes').where('change', '=', change).execute();
}

/** Groups that this gateway reserved and did not finish, oldest first. */
export async function unfinished(store: Store, node: string): Promise<readonly (readonly ChangeRow[])[]> {
  const rows = await store.db
    .selectFrom('resource_changes')
    .selectAll()
    .where('node', '=', node)
    .orderBy('changed_us')
    .execute();
  return [...Map.groupBy(rows, (row) => row.change).values()];
}

/**
 * Makes a reserved group real; one that is real already is left as it is. What it returns is to be
 * called when the change is seen everywhere.
 */
export async function takeEffect(
  store: Store,
  rows: readonly ChangeRow[],
  principals: PrincipalsPort,
): Promise<readonly (() => void)[]> {
  return store.transaction(async (tx) => {
    const afterwards: (() => void)[] = [];
    if (!(await isReserved(tx, rows))) return afterwards;
    for (const row of rows) {
      await expectVersion(tx, row);
      const afterward = await writeConsequences(tx, row, principals);
      if (afterward !== undefined) afterwards.push(afterward);
      await writeResource(tx, row);
      await tx
        .deleteFrom('resource_changes')
        .where('kind', '=', row.kind)
        .where('name', '=', row.name)
        .where('change', '=', row.change)
        .execute();
    }
    return afterwards;
  });
}

/** The rows go with the commit: without them, a commit whose answer was lost has happened. */
async function isReserved(tx: Transaction<Schema>, rows: readonly ChangeRow[]): Promise<boolean> {
  const [first] = rows;
  if (first === undefined) return false;
  const found = await tx
    .selectFrom('resource_changes')
    .select('name')
    .where('change', '=', first.change)
    .executeTakeFirst();
  return found !== undefined;
}

async function expectVersion(tx: Transaction<Schema>, row: ChangeRow): Promise<void> {
  const current = await tx
    .selectFrom('resources')
    .select('version')
    .where('kind', '=', row.kind)
    .where('name', '=', row.name)
    .executeTakeFirst();
  if ((current?.version ?? 0) !== row.previous_version) {
    throw conflictOf(row, `expected version ${row.previous_version}, found ${current?.version ?? 0}`);
  }
}

/** A deleted resource keeps its row, empty, so that its versions are never given twice. */
async function writeResource(tx: Transaction<Schema>, row: ChangeRow): Promise<void> {
  const values = {
    version: row.version,
    document: row.document ?? '',
    digest: row.document === null ? '' : row.digest,
    changed_us: row.changed_us,
    changed_by: row.changed_by,
  };
  await tx
    .insertInto('resources')
    .values({ kind: row.kind, name: row.name, ...values })
    .onConflict((conflict) => conflict.columns(['kind', 'name']).doUpdateSet(values))
    .execute();
}

/** The row of the resource still holds what it was. */
async function writeConsequences(
  tx: Transaction<Schema>,
  row: ChangeRow,
  principals: PrincipalsPort,
): Promise<(() => void) | undefined> {
  const document = row.document === null ? await findStored(tx, row) : parseStored(row.document, row.digest);
  if (row.document === null && row.kind === 'Connection') await deleteConnectionPassword(tx, row.name);
  if (document?.kind !== 'Person' && document?.kind !== 'ServiceAccount') return undefined;
  const { name, displayName, groups } = document;
  const kind = document.kind === 'Person' ? 'user' : document.type;
  const disabled = row.document === null || document.disabled;
  return principals.upsert({ name, kind, displayName, groups, disabled }, tx);
}

async function findStored(tx: Transaction<Schema>, row: ChangeRow): Promise<ResourceDocument | undefined> {
  const stored = await tx
    .selectFrom('resources')
    .select(['document', 'digest'])
    .where('kind', '=', row.kind)
    .where('name', '=', row.name)
    .executeTakeFirst();
  return stored === undefined || stored.document === ''
    ? undefined
    : parseStored(stored.document, stored.digest);
}

function parseRow(row: ResourcesTable): StoredResource {
  return {
    document: parseStored(row.document, row.digest),
    version: row.version,
    digest: row.digest,
    changedUs: row.changed_us,
    changedBy: row.changed_by,
  };
}

/** What stands in the store was parsed before it came there; anything else is damage. */
function parseStored(text: string, digest: string): ResourceDocument {
  if (digestOf(text) !== digest) {
    throw new CountersignError('STORE_FAILED', { reason: 'a resource does not have the digest beside it' });
  }
  const document = parseResource(JSON.parse(text));
  if (canonical(document) !== text) {
    throw new CountersignError('STORE_FAILED', { reason: 'a resource is not in its canonical form' });
  }
  return document;
}

function conflictOf(row: Pick<ChangeRow, 'kind' | 'name'>, reason: string): CountersignError {
  return new CountersignError('STATE_CONFLICT', { reason: `${row.kind} "${row.name}": ${reason}` });
}
