/** Masks, columns and a database of one table for tests. */

import type { ColumnLabel, OutputColumn } from '../../core/column-labels.ts';
import { builtInType } from '../operators/built-in-types.ts';
import type { PlanPorts } from './column-plans.ts';
import { compileMask } from './compile-mask.ts';
import type { Mask } from './mask.ts';
import type { MaskedColumn, MaskedLookup } from './masked-lookup.ts';
import { SessionMasks } from './session-masks.ts';

export const PORTS: PlanPorts = { describe: builtInType };
export const TEXT_OID = 25;

export function mask(name: string, more: Partial<Mask>): Mask {
  const columns =
    more.detect === undefined && more.fields === undefined ? { columns: ['customers.email'] } : {};
  return { kind: 'Mask', name, on: [], who: [], unless: [], as: 'redact', ...columns, ...more };
}

/** Versions are 1, 2, 3 … in the order in which they are given. */
export function masksOf(...documents: readonly Mask[]): SessionMasks {
  return new SessionMasks(documents.map((document, index) => compileMask(document, index + 1)));
}

/** Relation 20000 is `shop.customers`: id, email, phone, note. 20001 is `shop.orders`, 3000 statistics. */
export function database(columns: Readonly<Record<ColumnLabel, MaskedColumn>>): MaskedLookup {
  const all = Object.entries(columns);
  return {
    of: (label) => columns[label],
    knows: (relation) => relation < 20_002,
    ofRelation: (relation) =>
      all.filter(([label]) => label.startsWith(`${relation}.`)).map(([, column]) => column),
  };
}

export function customers(column: string, ...masks: readonly string[]): MaskedColumn {
  return { schema: 'shop', table: 'customers', column, masks };
}

export function output(
  labels: readonly ColumnLabel[],
  more: Partial<Omit<OutputColumn, 'labels'>> = {},
): OutputColumn {
  return {
    labels: new Set(labels),
    opaque: undefined,
    identity: undefined,
    name: 'x',
    typeOid: TEXT_OID,
    typmod: -1,
    ...more,
  };
}
