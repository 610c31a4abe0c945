/** What is left after the kills, compared: PostgreSQL's own log and table, the ledger, the recordings. */

import { createPublicKey, verify } from 'node:crypto';
import { openStoredBody } from '../../packages/gateway/src/audit/find-leaf.ts';
import type { Config } from '../../packages/gateway/src/config/config.ts';
import { parseId } from '../../packages/gateway/src/core/ids.ts';
import type { RunningGateway } from '../../packages/gateway/src/main.ts';
import {
  type ExpectedSegment,
  readRecording,
} from '../../packages/gateway/src/recording/recording-reader.ts';
import { evidenceExporter } from '../../packages/gateway/src/wiring/evidence.ts';
import { type OpenedBody, bodyValues } from '../../packages/ledger/src/body.ts';
import { openCheckpoint } from '../../packages/ledger/src/checkpoint.ts';
import { RangeCheck } from '../../packages/ledger/src/completeness.ts';
import { type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';
import { Frontier } from '../../packages/ledger/src/merkle.ts';
import { parseVerifierKey } from '../../packages/ledger/src/note.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';

export interface LedgerFindings {
  /** Marks that stand in an intent. */
  readonly recorded: ReadonlySet<string>;
  /** Intents without an outcome. */
  readonly unanswered: readonly number[];
  /** Sessions that began and never ended. */
  readonly unended: readonly string[];
  readonly statuses: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  /** What the leaves say of each session's segments. */
  readonly segments: ReadonlyMap<string, ReadonlyMap<number, ExpectedSegment>>;
  readonly shredded: ReadonlySet<string>;
}

/** Marks in a text. */
export function marksIn(text: string): string[] {
  return text.match(/mark-[0-9a-z]+-\d+-\d+/g) ?? [];
}

/** Checks the whole log against its last checkpoint, and gives what its leaves say. */
export async function readLedger({ rooms }: RunningGateway): Promise<LedgerFindings> {
  const { reader } = rooms;
  const note = await rooms.ledger.checkpoint();
  const vkeys = [parseVerifierKey(rooms.ledger.verifierKey)];
  const { origin, size, root } = await openCheckpoint(note, vkeys, verifyEd25519);
  const range = new RangeCheck(new Frontier(), origin);
  const found = new Findings();
  for await (const { leaf: bytes, sealed } of reader.leaves(0, size)) {
    range.push(bytes);
    const parsed = parseLeaf(bytes);
    if (parsed.kind !== 'leaf') throw new Error('a leaf of another version');
    found.take(parsed.leaf, await openStoredBody(parsed.leaf, sealed, rooms.keys));
  }
  range.finish(size, root);
  return found;
}

class Findings implements LedgerFindings {
  readonly recorded = new Set<string>();
  readonly statuses: Record<string, number> = {};
  readonly counts: Record<string, number> = {};
  readonly segments = new Map<string, Map<number, ExpectedSegment>>();
  readonly shredded = new Set<string>();
  readonly #intents = new Set<number>();
  readonly #sessions = new Set<string>();

  get unanswered(): number[] {
    return [...this.#intents];
  }

  get unended(): string[] {
    return [...this.#sessions];
  }

  take(leaf: Leaf, opened: OpenedBody | undefined): void {
    const { type, session = '', status = '' } = leaf;
    const body = opened === undefined ? {} : bodyValues(opened);
    this.counts[type] = (this.counts[type] ?? 0) + 1;
    if (type === 'session.start') this.#sessions.add(session);
    if (type === 'session.end') this.#sessions.delete(session);
    if (type === 'statement.intent') {
      this.#intents.add(leaf.n);
      for (const mark of marksIn(JSON.stringify(body))) this.recorded.add(mark);
    }
    if (type === 'statement.outcome') {
      this.#intents.delete(leaf.ref ?? -1);
      this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    }
    if (type === 'ledger.shred' && status === 'ok')
      this.shredded.add(JSON.stringify(body['scope']).slice(1, -1));
    if (type !== 'recording.segment' || opened === undefined) return;
    const segments = this.segments.get(session) ?? new Map<number, ExpectedSegment>();
    this.segments.set(session, segments);
    segments.set(Number(body['number']), {
      sha256: JSON.stringify(body['sha256']).slice(1, -1),
      status: status === 'truncated' ? 'truncated' : 'ok',
    });
  }
}

/** Reads every recording to its last whole block; what is wrong with any. */
export async function readRecordings(
  gateway: RunningGateway,
  config: Config,
  { segments, shredded }: LedgerFindings,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [session, expected] of segments) {
    const scopeKey = await gateway.rooms.keys.find(session);
    if (scopeKey === undefined) {
      if (!shredded.has(session)) problems.push(`${session}: its key is gone, and no leaf says so`);
      continue;
    }
    if (shredded.has(session))
      problems.push(`${session}: a leaf says that it was shredded, and its key is there`);
    const options = {
      directory: config.recording.directory,
      sessionId: parseId('session', session),
      scopeKey,
      expected,
    };
    try {
      let bytes = 0;
      for await (const entry of readRecording(options))
        if (entry.kind === 'bytes') bytes += entry.bytes.length;
      if (bytes === 0 && [...expected.values()].every(({ status }) => status === 'ok'))
        problems.push(`${session}: empty`);
    } catch (error) {
      problems.push(`${session}: ${String(error)}`);
    }
  }
  return problems;
}

/** Exports everything and verifies it as an auditor does: the verdict, with what is wrong. */
export async function exportAndVerify(
  gateway: RunningGateway,
  config: Config,
  file: string,
): Promise<string> {
  const { rooms } = gateway;
  const build = evidenceExporter(config, rooms, { software: 'countersign test', randomBytes });
  await build({ fromUs: 0, toUs: 4_102_444_800_000_000, file });
  await using source = await FileSource.open(file);
  const report = await verifyPackage(source, { host: nodeHost(), vkey: rooms.ledger.verifierKey });
  const failed = report.checks.filter(({ status }) => status === 'failed');
  return failed.length === 0 ? report.verdict : JSON.stringify(failed);
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
