/** Memory at rest and with idle sessions, and how long a login takes while they are there. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { memoryOf } from '../measure/process-cost.ts';
import { formatSpread, percentile } from '../measure/statistics.ts';
import { openSession } from '../measure/wire-client.ts';
import type { GatewayProcess } from '../peers/gateway.ts';
import type { Stage, Way } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult } from './row.ts';

const SESSIONS = 1_000;
/** Opened at once, so that a thousand do not take a minute. */
const OPENERS = 8;
const LOGINS = 200;
const KILOBYTE = 1_024;
const MEGABYTE = 1_048_576;
/** Memory is looked at when it is the same over this time; what a login needed is garbage by then. */
const SETTLE_MS = 1_000;
const SETTLE_TRIES_MAX = 10;

interface Idle {
  readonly restBytes: number;
  readonly idleBytes: number;
  readonly openedMs: readonly number[];
  /** Of logins one after the other while the sessions are idle. */
  readonly loginMs: readonly number[];
}

interface Kind {
  readonly says: string;
  readonly tls: boolean;
  readonly kbMax: number;
  readonly way: (gateway: GatewayProcess) => Way;
}

const KINDS: readonly Kind[] = [
  { says: 'plain', tls: false, kbMax: 64, way: (gateway) => gateway.way },
  { says: 'TLS on both legs', tls: true, kbMax: 160, way: (gateway) => gateway.tlsTarget },
];

export const IDLE_ROW: Row = { id: 'idle', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const directMs = await timeLogins(stage.direct, false);
  const rows: string[][] = [
    ['direct, no idle sessions', '', '', '', '', percentile(directMs, 0.5).toFixed(1), p99(directMs)],
  ];
  const goals: Goal[] = [];
  for (const kind of KINDS) {
    const idle = await measureKind(stage, kind);
    const kb = (idle.idleBytes - idle.restBytes) / SESSIONS / KILOBYTE;
    rows.push([
      `countersign, ${kind.says}`,
      (idle.restBytes / MEGABYTE).toFixed(0),
      (idle.idleBytes / MEGABYTE).toFixed(0),
      kb.toFixed(0),
      `${percentile(idle.openedMs, 0.5).toFixed(1)} / ${p99(idle.openedMs)}`,
      percentile(idle.loginMs, 0.5).toFixed(1),
      p99(idle.loginMs),
    ]);
    goals.push(...goalsOf(kind, idle, kb));
  }
  return {
    tables: [
      {
        title: `${SESSIONS} idle sessions`,
        columns: [
          'in the path',
          'RSS at rest, MB',
          'RSS with them, MB',
          'KB a session',
          `opening them ${OPENERS} at once, p50 / p99 ms`,
          'login beside them, p50 ms',
          'p99 ms',
        ],
        rows,
        notes: [
          `A fresh gateway for each line; RSS as it is, garbage not yet collected included. ${LOGINS} logins, one after the other.`,
        ],
      },
    ],
    goals,
  };
}

function p99(values: readonly number[]): string {
  return percentile(values, 0.99).toFixed(1);
}

function goalsOf(kind: Kind, idle: Idle, kb: number): Goal[] {
  const restMb = idle.restBytes / MEGABYTE;
  const login = percentile(idle.loginMs, 0.99);
  return [
    ...(kind.tls
      ? []
      : [
          {
            what: 'memory at rest',
            goal: '≤ 150 MB',
            measured: `${formatSpread([restMb], 0)} MB`,
            met: metIf(restMb, (value) => value <= 150),
          },
        ]),
    {
      what: `memory of an idle session, ${kind.says}`,
      goal: `≤ ${kind.kbMax} KB`,
      measured: `${formatSpread([kb], 0)} KB`,
      met: metIf(kb, (value) => value <= kind.kbMax),
    },
    {
      what: `1,000 idle sessions, ${kind.says}: login p99`,
      goal: '< 50 ms',
      measured: `${formatSpread([login], 1)} ms`,
      met: metIf(login, (value) => value < 50),
    },
  ];
}

async function measureKind(stage: Stage, kind: Kind): Promise<Idle> {
  const gateway = await stage.startGateway(`idle-${kind.tls ? 'tls' : 'plain'}`);
  const clients: Client[] = [];
  try {
    const way = kind.way(gateway);
    const restBytes = await settledBytes(gateway.pid);
    const openedMs: number[] = [];
    let left = SESSIONS;
    await Promise.all(
      Array.from({ length: OPENERS }, async () => {
        while (left > 0) {
          left -= 1;
          const { client, ms } = await timedLogin(way, kind.tls);
          clients.push(client);
          openedMs.push(ms);
        }
      }),
    );
    const idleBytes = await settledBytes(gateway.pid);
    const loginMs = await timeLogins(way, kind.tls);
    return { restBytes, idleBytes, openedMs, loginMs };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await gateway.stop();
  }
}

async function timeLogins(way: Way, tls: boolean): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < LOGINS; i++) {
    const { client, ms } = await timedLogin(way, tls);
    times.push(ms);
    await client.end();
  }
  return times;
}

async function timedLogin(way: Way, tls: boolean): Promise<{ readonly client: Client; readonly ms: number }> {
  const before = performance.now();
  const client = await openSession(way, tls);
  return { client, ms: performance.now() - before };
}

async function settledBytes(pid: number): Promise<number> {
  let last = memoryOf(pid).bytes;
  for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
    await delay(SETTLE_MS);
    const now = memoryOf(pid).bytes;
    if (Math.abs(now - last) < MEGABYTE) return now;
    last = now;
  }
  return last;
}
