/** Leaves a second of `countersign-verify` on a package of its least size, written by the real ledger. */

import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { exportEvidence } from '../../packages/gateway/src/evidence/export.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { ORIGIN, OwnLedger } from '../measure/own-ledger.ts';
import { formatSpread, spreadOf } from '../measure/statistics.ts';
import type { Stage } from '../stage.ts';
import { metIf, type Row, type RowResult } from './row.ts';

/** Two leaves a statement. */
const STATEMENTS = 100_000;
const SESSIONS = 256;
/** A whole package takes long enough to be its own mean. */
const ROUNDS_MAX = 2;

export const VERIFY_ROW: Row = { id: 'verify', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const parent = join(stage.directory, 'verified');
  await mkdir(parent);
  try {
    const made = await makePackage(parent);
    const rates: number[] = [];
    const treeRates: number[] = [];
    for (let round = 0; round < Math.min(ROUNDS_MAX, stage.rounds); round++) {
      const started = performance.now();
      await using source = await FileSource.open(made.file);
      const tree = new StageClock('reading the log');
      const { verdict, leaves } = await verifyPackage(source, {
        host: nodeHost(),
        vkey: made.verifierKey,
        onProgress: (stageName, done) => tree.take(stageName, done),
      });
      if (verdict !== 'verified' || leaves !== made.leaves) {
        throw new Error(`expected ${made.leaves} leaves verified, got ${leaves} and ${verdict}`);
      }
      rates.push((leaves / (performance.now() - started)) * 1_000);
      treeRates.push(tree.perSecond);
    }
    const megabytes = ((await stat(made.file)).size / 1e6).toFixed(0);
    return {
      tables: [
        {
          title: 'countersign-verify',
          columns: [
            'leaves',
            'package',
            'tree, leaves a second',
            'whole package, leaves a second',
            'export, leaves a second',
          ],
          rows: [
            [
              String(made.leaves),
              `${megabytes} MB`,
              formatSpread(treeRates, 0),
              formatSpread(rates, 0),
              made.exportedPerSecond.toFixed(0),
            ],
          ],
          notes: [
            'Tree: every entry read, hashed and brought under the signed root. Whole package: the hash of every file, then the tree, the leaves again in JSON, every body opened against its commitment, and the populations made again from them.',
          ],
        },
      ],
      goals: [
        {
          what: 'verify: leaves under the signed root',
          goal: '≥ 150,000 a second',
          measured: formatSpread(treeRates, 0),
          met: metIf(spreadOf(treeRates).median, (value) => value >= 150_000),
        },
        {
          what: 'verify: leaves of a whole package, bodies and populations too',
          goal: '≥ 150,000 a second',
          measured: formatSpread(rates, 0),
          met: metIf(spreadOf(rates).median, (value) => value >= 150_000),
        },
      ],
    };
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** How fast one stage of the verifier goes, by what it says about its progress. */
class StageClock {
  readonly #name: string;
  #first: { readonly timeMs: number; readonly done: number } | undefined;
  #last: { readonly timeMs: number; readonly done: number } | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  take(name: string, done: number): void {
    if (name !== this.#name) return;
    this.#last = { timeMs: performance.now(), done };
    this.#first ??= this.#last;
  }

  get perSecond(): number {
    const { timeMs = 0, done = 0 } = this.#first ?? {};
    return (((this.#last?.done ?? 0) - done) / ((this.#last?.timeMs ?? 0) - timeMs)) * 1_000;
  }
}

interface MadePackage {
  readonly file: string;
  readonly leaves: number;
  readonly verifierKey: string;
  readonly exportedPerSecond: number;
}

async function makePackage(parent: string): Promise<MadePackage> {
  const own = await OwnLedger.open(parent);
  const fromUs = Date.now() * 1_000;
  await Promise.all(
    Array.from({ length: SESSIONS }, async () => {
      const session = await own.startSession();
      const statements = Math.ceil(STATEMENTS / SESSIONS);
      for (let i = 0; i < statements; i++) await own.outcome(session, await own.intent(session));
      await own.endSession(session, statements);
    }),
  );
  const toUs = Date.now() * 1_000 + 1_000;
  // The last leaf of the log lies behind the period, and the checkpoint behind both.
  while (Date.now() * 1_000 <= toUs) await own.ledger.checkpoint();
  const { verifierKey } = own.ledger;
  await own.ledger.close('written');
  const file = join(parent, 'package.zip');
  const started = performance.now();
  const { leaves } = await exportEvidence({
    reader: new LogReader(own.directory),
    keys: own.keys,
    origin: ORIGIN,
    verifierKeys: [verifierKey],
    fromUs,
    toUs,
    out: file,
    software: 'bench',
    checkpointNow: () => Promise.reject(new Error('the history covers the period')),
    sign: (text) => own.sign(text),
  });
  const exportedPerSecond = (leaves / (performance.now() - started)) * 1_000;
  return { file, leaves, verifierKey, exportedPerSecond };
}
