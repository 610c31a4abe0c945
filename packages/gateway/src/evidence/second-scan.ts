/**
 * The second scan of a package: everything that was delivered in its period, as the recordings have it, is looked at
 * again, independently of the masks of that time. One session after the other, as they end in the log.
 *
 * Spec: spec/evidence.md, section 4, "Masking". Nothing of the moment goes in. Memory: the statements of open
 * sessions, 32 bytes each, and what was found in one session.
 */

import { utf8 } from '@countersign/ledger/bytes';
import { formatCsvRow } from '@countersign/ledger/csv';
import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { Parts, type Piece } from '@countersign/ledger/population-files';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { parseId, type SessionId } from '../core/ids.ts';
import { MASKING_SCAN_LIMITS as LIMITS } from '../core/masking-scan-limits.ts';
import { type ExpectedSegment, readRecording, type RecordedEntry } from '../recording/recording-reader.ts';
import { isUnreadable, readTranscript } from '../recording/transcript.ts';
import { DeliveredScan, type Finding } from './delivered-scan.ts';
import { StatementWindow } from './statement-window.ts';

/** What the exporter gives. */
export interface SecondScanSource {
  /** Where the recordings are; undefined where the exporter has none. */
  readonly directory: string | undefined;
  readonly findKey: (scope: string) => Promise<Uint8Array | undefined>;
  /** The period, microseconds since the epoch: from ≤ t < to. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Bytes of recordings that are read. */
  readonly recordedBytesMax?: number;
}

export interface SecondScanOptions extends SecondScanSource {
  readonly partBytesMax: number;
  readonly write: (pieces: readonly Piece[]) => void;
}

/** How much of a session was looked at. */
type State = 'scanned' | 'partly' | 'not-scanned' | 'shredded' | 'not-recorded' | 'invalid';

interface Session {
  readonly start: Leaf;
  readonly isHttp: boolean;
  readonly statements: StatementWindow;
  readonly segments: Map<number, ExpectedSegment>;
  end: Leaf | undefined;
}

interface Outcome {
  readonly state: State;
  readonly scannedBytes: number;
  /** Why it is not everything. */
  readonly reasons: readonly string[];
  readonly findings: readonly Finding[];
}

const SCAN_COLUMNS: readonly string[] =
  'session_id leaf_index target state place column entity values scanned_bytes not_scanned'.split(' ');

/** The owner of the sessions that are open. */
export class SecondScan {
  readonly #options: SecondScanOptions;
  /** The period as leaves have it. */
  readonly #from: string;
  readonly #to: string;
  readonly #open = new Map<string, Session>();
  readonly #parts: Parts;
  #bytesLeft: number;
  #intents = 0;

  constructor(options: SecondScanOptions) {
    this.#options = options;
    this.#from = formatTimeUs(options.fromUs);
    this.#to = formatTimeUs(options.toUs);
    this.#bytesLeft = options.recordedBytesMax ?? LIMITS.recordedBytesMax;
    this.#parts = new Parts('masking-second-scan', 'csv', formatCsvRow(SCAN_COLUMNS), options.partBytesMax);
  }

  /** The beginning of the file. */
  begin(): void {
    this.#options.write([this.#parts.first()]);
  }

  /** Takes a leaf of the range, or the start of a session that is still open there; a promise where one ended. */
  take(leaf: Leaf, values: Readonly<Record<string, Json>>): Promise<void> | undefined {
    const { session: id, type } = leaf;
    if (id === undefined) return undefined;
    if (type === 'session.start') {
      const empty = { statements: new StatementWindow(), segments: new Map<number, ExpectedSegment>() };
      const isHttp = values['protocol'] === 'http';
      this.#open.set(id, { start: leaf, isHttp, ...empty, end: undefined });
      return undefined;
    }
    const session = this.#open.get(id);
    if (session === undefined) return undefined;
    if (type === 'statement.intent' && this.#intents < LIMITS.intentsMax) {
      this.#intents += 1;
      session.statements.push(leaf.n, values);
    } else if (type === 'recording.segment') {
      addSegment(session, leaf, values);
    } else if (type === 'session.end') {
      session.end = leaf;
      this.#open.delete(id);
      return this.#scan(id, session);
    }
    return undefined;
  }

  /** After the last leaf: the sessions that go on. */
  async finish(): Promise<void> {
    for (const [id, session] of this.#open) await this.#scan(id, session);
    this.#open.clear();
  }

  async #scan(id: string, session: Session): Promise<void> {
    const { start, end, statements } = session;
    this.#intents -= statements.length;
    if (start.t >= this.#to || (end !== undefined && end.t < this.#from)) return;
    const { state, scannedBytes, reasons, findings } = await this.#outcome(id, session);
    this.#line([id, start.n, start.target, state, '', '', '', '', scannedBytes, reasons.join('; ')]);
    for (const { leaf, place, column, entity, values } of findings) {
      this.#line([id, leaf, start.target, '', place, column, entity, values, '', '']);
    }
  }

  async #outcome(id: string, session: Session): Promise<Outcome> {
    const none = { scannedBytes: 0, findings: [] };
    const { directory, findKey } = this.#options;
    if (directory === undefined) {
      return { state: 'not-scanned', reasons: ['the exporter had no recordings'], ...none };
    }
    if (session.isHttp) return { state: 'not-scanned', reasons: [HTTP], ...none };
    const key = await findKey(id);
    if (key === undefined) return { state: 'shredded', reasons: ['its key was destroyed'], ...none };
    if (session.segments.size === 0) {
      return session.end === undefined
        ? { state: 'not-scanned', reasons: [GOES_ON], ...none }
        : { state: 'not-recorded', reasons: ['it has no segment in the range'], ...none };
    }
    if (this.#bytesLeft <= 0) return { state: 'not-scanned', reasons: [LIMIT], ...none };
    return await this.#read(parseId('session', id), session, directory, key);
  }

  async #read(sessionId: SessionId, session: Session, directory: string, key: Uint8Array): Promise<Outcome> {
    const { segments, statements, end } = session;
    const reasons = new Set<string>();
    if (end === undefined) reasons.add(GOES_ON);
    const scan = new DeliveredScan(this.#options, (statement) => statements.find(statement));
    const segmentsMax = Math.max(...segments.keys()) + 1;
    const recording = readRecording({
      directory,
      sessionId,
      scopeKey: key,
      expected: segments,
      segmentsMax,
    });
    try {
      for await (const item of readTranscript(this.#metered(recording, scan, reasons), scan)) {
        if (item.kind === 'note' && isUnreadable(item))
          reasons.add('from some place on it is not the protocol');
      }
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code !== 'RECORDING_INVALID') throw error;
      reasons.add('its recording is missing, or is not the one of its leaves');
      return {
        state: 'invalid',
        scannedBytes: scan.scannedBytes,
        reasons: [...reasons],
        findings: scan.finish(),
      };
    }
    const findings = scan.finish();
    const state = reasons.size === 0 ? 'scanned' : 'partly';
    return { state, scannedBytes: scan.scannedBytes, reasons: [...reasons], findings };
  }

  /** Entries up to the end of the period, as long as there is something left of the bound. */
  async *#metered(
    entries: AsyncIterable<RecordedEntry>,
    scan: DeliveredScan,
    reasons: Set<string>,
  ): AsyncGenerator<RecordedEntry, void> {
    for await (const entry of entries) {
      if (entry.kind === 'truncated') reasons.add('its last segment is cut off');
      else if (entry.timeUs >= this.#options.toUs) {
        // Times never go back: nothing more of the period follows.
        reasons.delete(GOES_ON);
        return;
      } else scan.at(entry.timeUs);
      if (entry.kind === 'bytes') {
        if (entry.bytes.length > this.#bytesLeft) {
          this.#bytesLeft = 0;
          reasons.add(LIMIT);
          return;
        }
        this.#bytesLeft -= entry.bytes.length;
      }
      yield entry;
    }
  }

  #line(cells: readonly (Json | undefined)[]): void {
    this.#options.write(this.#parts.add(utf8(formatCsvRow(cells))));
  }
}

const HTTP = 'contents of HTTP are not looked at';
const GOES_ON = 'it goes on behind the range';
const LIMIT = 'the bound of bytes that an export reads';

/** What a leaf states of a segment; where the exporter withholds it, nothing is compared. */
function addSegment(session: Session, leaf: Leaf, { number, sha256 }: Readonly<Record<string, Json>>): void {
  if (typeof number !== 'number' || typeof sha256 !== 'string') return;
  session.segments.set(number, { sha256, status: leaf.status === 'truncated' ? 'truncated' : 'ok' });
}
