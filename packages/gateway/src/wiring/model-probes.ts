/** Looks at models over the open rooms: connections of the resources, leaves of the log, grants of the store. */

import { bodyValues } from '@countersign/ledger/body';
import { kindsOfEffects } from '@countersign/ledger/change-kinds';
import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { MODEL_PROBES } from '@countersign/ledger/model-rows';
import { takenGrants } from '../approvals/taken-grants.ts';
import type { HoldRecord } from '../approvals/hold-record.ts';
import { openStoredBody } from '../audit/find-leaf.ts';
import { parseOwnLeaf } from '../audit/own-leaf.ts';
import type { Config } from '../config/config.ts';
import { type CountersignError, toCountersignError } from '../core/errors.ts';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import { type Answered, askUpstream, type Question, type Unanswered } from '../probes/ask-upstream.ts';
import { failureText } from '../probes/look.ts';
import { ModelProbes, type ProbedConnection } from '../probes/model-probes.ts';
import { type ProbeLeaf, storedProbeStates } from '../probes/probe-state.ts';
import type { Notifier } from '../notify/notifier.ts';
import { parseDurationMs } from '../policy/patterns.ts';
import type { HttpConnection } from '../resources/documents.ts';
import { UpstreamPool } from '../upstream/http-pool.ts';
import { openHttpTarget } from './http-ports.ts';
import { tellOfModel } from './notify-models.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly notifier: Notifier;
  readonly onNotice: (line: string) => void;
  readonly onError: (error: CountersignError, where: string) => void;
}

/** A body that is shredded has no values. */
interface ReadLeaf {
  readonly leaf: Leaf;
  readonly values: Readonly<Record<string, Json>>;
}

export interface OpenModelProbes {
  readonly probes: ModelProbes;
  close(): Promise<void>;
}

/** Looks on a schedule until it is closed. */
export function openModelProbes(config: Config, rooms: Rooms, others: Others): OpenModelProbes {
  const { clock, ledger, store, resources, bootId } = rooms;
  const pool = new UpstreamPool();
  const probes = new ModelProbes({
    clock,
    connections: () => connectionsOf(rooms).flatMap((connection) => probedOf(connection) ?? []),
    ask: (name, question, signal) => ask(rooms, others.env, pool, name, question, signal),
    append: (event) => ledger.append(event),
    system: { kind: 'system', keyId: bootId },
    states: storedProbeStates(store, config.node),
    lastLeaves: () => lastLeaves(rooms),
    approvedChange: (name, sinceUs, behind) => approvedChange(rooms, config.node, { name, sinceUs, behind }),
    onFound: tellOfModel(config, rooms, others),
    onError: others.onError,
  });
  const timer = setInterval(() => probes.tick(), LIMITS.tickMs);
  timer.unref();
  const leave = resources.onChange(() => probes.tick());
  return {
    probes,
    async close() {
      clearInterval(timer);
      leave();
      await probes.close();
      pool.close();
    },
  };
}

function connectionsOf({ resources }: Rooms): readonly HttpConnection[] {
  return resources
    .get('Connection')
    .map(({ document }) => document)
    .filter((document) => document.kind === 'Connection')
    .filter((document) => document.protocol === 'http');
}

function probedOf({ name, probes }: HttpConnection): ProbedConnection | undefined {
  if (probes === undefined) return undefined;
  const { identity, canary, model, every, tolerance = String(LIMITS.tolerance), reviewers } = probes;
  return { name, identity, canary, model, everyMs: parseDurationMs(every), tolerance, reviewers };
}

async function ask(
  rooms: Rooms,
  env: Others['env'],
  pool: UpstreamPool,
  name: string,
  question: Question,
  signal: AbortSignal,
): Promise<Answered | Unanswered> {
  const connection = connectionsOf(rooms).find((one) => one.name === name);
  if (connection === undefined) return { failure: 'the connection is gone' };
  try {
    return await askUpstream(pool, await openHttpTarget(connection, rooms, env), question, signal);
  } catch (error) {
    // Its credential or its certificates cannot be had.
    return { failure: failureText(toCountersignError(error).message) };
  }
}

/** Looks that are at the end of the log, by connection. */
async function lastLeaves(rooms: Rooms): Promise<ReadonlyMap<string, readonly ProbeLeaf[]>> {
  const { size } = rooms.ledger;
  const found = new Map<string, ProbeLeaf[]>();
  for await (const { leaf, values } of readLeaves(rooms, size - LIMITS.recoveredLeavesMax, MODEL_PROBES)) {
    const { target = '' } = leaf;
    found.set(target, [...(found.get(target) ?? []), { leaf, values, timeUs: timeUsOf(leaf) }]);
  }
  return found;
}

/**
 * The `hold.taken` by which people let the model of a connection be changed: a request that changes models, or a change
 * of the Connection itself. The newest after a time, and behind the last one that was used.
 */
async function approvedChange(
  rooms: Rooms,
  node: string,
  {
    name: connection,
    sinceUs,
    behind,
  }: { readonly name: string; readonly sinceUs: number; readonly behind: number },
): Promise<number | undefined> {
  const grants = await takenGrants(rooms.store, { node, sinceUs, limit: LIMITS.grantsMax });
  for (const grant of grants) {
    const { document } = grant;
    const isOfResource = document.resources?.some(
      ([kind, name]) => kind === 'Connection' && name === connection,
    );
    if (document.connection !== connection && isOfResource !== true) continue;
    // oxlint-disable-next-line no-await-in-loop -- The newest first, and mostly there is one.
    const taken = await (isOfResource === true
      ? takenForResource(rooms, grant, connection)
      : takenForRequest(rooms, grant));
    if (taken !== undefined && timeUsOf(taken) > sinceUs && taken.n > behind) return taken.n;
  }
  return undefined;
}

const TAKEN: ReadonlySet<string> = new Set(['hold.taken']);
const APPLIED: ReadonlySet<string> = new Set(['resource.apply']);

async function takenForRequest(rooms: Rooms, { id, takenLeaf }: HoldRecord): Promise<Leaf | undefined> {
  for await (const { leaf, values } of readLeaves(rooms, takenLeaf ?? 0, TAKEN)) {
    if (values['hold_id'] !== id || values['break_glass'] !== undefined) continue;
    const { intent_leaf: intent } = values;
    const request = typeof intent === 'number' ? await readLeaf(rooms, intent) : undefined;
    const effects = request?.values['effects'];
    return Array.isArray(effects) && kindsOfEffects(effects).has('model') ? leaf : undefined;
  }
  return undefined;
}

async function takenForResource(
  rooms: Rooms,
  { takenLeaf }: HoldRecord,
  connection: string,
): Promise<Leaf | undefined> {
  for await (const { values } of readLeaves(rooms, takenLeaf ?? 0, APPLIED)) {
    const { resource_kind: kind, name, approval } = values;
    if (kind !== 'Connection' || name !== connection || typeof approval !== 'number') continue;
    return (await readLeaf(rooms, approval))?.leaf;
  }
  return undefined;
}

/** Leaves of some types from an index on, a bounded part of the log. */
async function* readLeaves(rooms: Rooms, from: number, types: ReadonlySet<string>): AsyncGenerator<ReadLeaf> {
  const first = Math.max(0, from);
  for await (const stored of rooms.reader.leaves(first, first + LIMITS.recoveredLeavesMax)) {
    const leaf = parseOwnLeaf(stored.leaf, stored.index);
    if (types.has(leaf.type)) yield { leaf, values: await valuesOf(rooms, leaf, stored.sealed) };
  }
}

async function readLeaf(rooms: Rooms, index: number): Promise<ReadLeaf | undefined> {
  const stored = await rooms.reader.leaf(index);
  if (stored === undefined) return undefined;
  const leaf = parseOwnLeaf(stored.leaf, index);
  return { leaf, values: await valuesOf(rooms, leaf, stored.sealed) };
}

async function valuesOf({ keys }: Rooms, leaf: Leaf, sealed: Uint8Array): Promise<ReadLeaf['values']> {
  const body = await openStoredBody(leaf, sealed, keys);
  return body === undefined ? {} : bodyValues(body);
}

function timeUsOf({ t }: Leaf): number {
  return Date.parse(`${t.slice(0, 23)}Z`) * 1_000 + Number(t.slice(23, 26));
}
