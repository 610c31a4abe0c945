/**
 * The one writer of a log: events → leaves → journal → tree → checkpoint. Synchronous; runs in a
 * thread of its own, because `fdatasync` blocks and groups form while it does.
 *
 * Spec: spec/ledger.md, sections 2, 3, 5, 6.
 */

import { createSecretKey, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { formatCheckpoint } from '@countersign/ledger/checkpoint';
import { EVENTS } from '@countersign/ledger/events';
import { formatNote, makeVerifierKey, SIGNATURE_TYPE, type VerifierKey } from '@countersign/ledger/note';
import { type Clock, formatTimeUs } from '../core/clock.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { Appended, LedgerEvent } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { BodySealer } from './body-sealer.ts';
import { addToHistory } from './checkpoint-history.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { LogFiles } from './file-port.ts';
import { replaceFile, writeAll } from './files.ts';
import { recordBytes, SEGMENT_HEADER_BYTES, segmentHeader, segmentName, writeRecord } from './journal.ts';
import { leafText } from './leaf-text.ts';
import type { LogState } from './log-state.ts';
import { snapshotName, type OpenedLog } from './recovery.ts';
import type { TileWriter } from './tile-writer.ts';

/** A minute: the history says what was signed when, and stays small. */
const HISTORY_INTERVAL_US = 60_000_000;

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
}

export interface LogWriterOptions {
  readonly files: LogFiles;
  readonly directory: string;
  readonly origin: string;
  readonly bootId: string;
  readonly key: SigningKey;
  readonly secondPlace: CheckpointStore;
  readonly segmentBytesMax: number;
  readonly ballastBytes: number;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

interface Staged {
  readonly leaf: Uint8Array;
  readonly sealed: Uint8Array;
}

/** What {@link LogWriter} knows of a body before its leaf has a place. */
interface SealedEvent {
  /** The commitment, hex. */
  readonly body: string | undefined;
  readonly sealed: Uint8Array;
}

const NO_BODY: SealedEvent = { body: undefined, sealed: new Uint8Array(0) };

/** Owns the journal, the tree and the signing key. */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #files: LogFiles;
  readonly #state: LogState;
  readonly #tiles: TileWriter;
  readonly #sealer: BodySealer;
  readonly #scopes = new Map<string, KeyObject>();
  #verifierKey: VerifierKey;
  #key: SigningKey;
  #fd: number;
  /** `bytes` are written; the file is `reserved` long, and zero between the two. */
  #segment: { firstIndex: number; bytes: number; reserved: number };
  #zeros: Uint8Array | undefined;
  #staged: Staged[] = [];
  #stagedBytes = 0;
  #lastNote: string | undefined;
  #signedSize: number;
  #historyUs = 0;
  #halted: CountersignError | undefined;

  /** @param lastNote the checkpoint in the second place */
  constructor(options: LogWriterOptions, opened: OpenedLog, lastNote: string | undefined) {
    this.#options = options;
    this.#sealer = new BodySealer(options.randomBytes);
    this.#files = options.files;
    this.#state = opened.state;
    this.#tiles = opened.tiles;
    this.#key = options.key;
    this.#verifierKey = makeVerifierKey(options.origin, SIGNATURE_TYPE.ed25519, options.key.publicKey);
    this.#lastNote = lastNote;
    this.#signedSize = -1;
    this.#keepBallast();
    if (opened.segment === undefined) {
      this.#segment = { firstIndex: 0, bytes: 0, reserved: 0 };
      this.#fd = this.#createSegment(0);
    } else {
      const path = this.#path(opened.segment.firstIndex);
      this.#segment = { ...opened.segment, reserved: this.#files.length(path) };
      this.#fd = this.#files.update(path);
    }
  }

  get size(): number {
    return this.#tiles.size;
  }

  /** Root of the tree of what is durable. */
  get root(): Uint8Array {
    return this.#tiles.root;
  }

  get signedSize(): number {
    return this.#signedSize;
  }

  get verifierKey(): VerifierKey {
    return this.#verifierKey;
  }

  /** Another key of the same log. */
  verifierKeyOf(publicKey: Uint8Array): VerifierKey {
    return makeVerifierKey(this.#options.origin, SIGNATURE_TYPE.ed25519, publicKey);
  }

  get state(): LogState {
    return this.#state;
  }

  /** Bytes staged and not yet durable. */
  get stagedBytes(): number {
    return this.#stagedBytes;
  }

  openScope(keyId: string, key: Uint8Array): void {
    // A key object once: from raw bytes, each body would cost 12 µs more.
    this.#scopes.set(keyId, createSecretKey(key));
  }

  closeScope(keyId: string): void {
    this.#scopes.delete(keyId);
  }

  /** Makes the leaf of an event; it is durable after the next {@link LogWriter.commit}. */
  stage(event: LedgerEvent): Appended {
    this.#mustWork();
    return this.#stageSealed(event, this.#sealBody(event));
  }

  /**
   * Makes the leaves of events, or of none of them: a leaf whose request is refused has nobody who
   * would write what has to follow it.
   */
  stageAll(events: readonly LedgerEvent[]): readonly Appended[] {
    this.#mustWork();
    if (events.some(({ ref }, i) => ref !== undefined && ref < 0 && (ref !== -1 || i === 0))) {
      throw internal('an event that answers none of its request');
    }
    const bodies = events.map((event) => this.#sealBody(event));
    let before: Appended | undefined;
    return events.map((event, i) => {
      // What a slow clock says stands in between, so that it is not the index before this one.
      const own = event.ref === -1 ? { ...event, ref: before?.index } : event;
      before = this.#stageSealed(own, bodies[i] ?? NO_BODY);
      return before;
    });
  }

  #stageSealed(event: LedgerEvent, { body, sealed }: SealedEvent): Appended {
    this.#stepClock();
    const timeUs = Math.max(this.#options.clock.nowUs(), this.#state.lastTimeUs);
    const index = this.#state.nextIndex;
    const { origin, bootId } = this.#options;
    const { session } = event;
    const seq = session === undefined ? undefined : this.#state.nextSeq(session, event.type);
    const bytes = Buffer.from(leafText(event, { origin, bootId, index, timeUs, seq, body }));
    if (bytes.length > LIMITS.ledger.leafBytesMax) throw internal(`a leaf of ${bytes.length} bytes`);
    const { kind, actor, target, ref } = event;
    this.#state.apply({ n: index, type: event.type, kind, actor, session, seq, target, ref }, timeUs);
    this.#staged.push({ leaf: bytes, sealed });
    this.#stagedBytes += recordBytes(bytes, sealed);
    return { index, timeUs };
  }

  /** Makes all staged leaves durable: one write, one fdatasync. */
  commit(): void {
    this.#mustWork();
    const staged = this.#staged;
    if (staged.length === 0) return;
    const group = Buffer.allocUnsafe(this.#stagedBytes);
    let at = 0;
    for (const { leaf, sealed } of staged) at = writeRecord(group, at, leaf, sealed);
    try {
      this.#reserve(this.#segment.bytes + group.length);
      writeAll(this.#files, this.#fd, group, this.#segment.bytes);
    } catch (error) {
      throw this.#haltOnFullDisk(error);
    }
    try {
      this.#files.datasync(this.#fd);
    } catch (error) {
      // Linux drops the pages and clears the error: a second fsync would lie.
      throw this.#halt(error);
    }
    this.#segment.bytes += group.length;
    for (const { leaf } of staged) this.#tiles.push(leaf);
    this.#staged = [];
    this.#stagedBytes = 0;
    if (this.#segment.bytes >= this.#options.segmentBytesMax) this.#nextSegment();
  }

  /**
   * Signs what is durable, if that is more than was signed.
   *
   * @param keep put it into the history whatever its age
   */
  checkpoint(keep = false): string {
    this.#mustWork();
    const { size } = this.#tiles;
    if (size === this.#signedSize && this.#lastNote !== undefined && !keep) return this.#lastNote;
    try {
      return size === this.#signedSize ? this.#keepLast() : this.#sign(size, keep);
    } catch (error) {
      // The journal is longer than its records: a full disk may be noticed here first.
      throw isFullDisk(error) ? this.#haltOnFullDisk(error) : this.#halt(error);
    }
  }

  /** Puts another key in place; the leaf that names it must be signed by the old one already. */
  replaceKey(key: SigningKey): void {
    this.#key = key;
    this.#verifierKey = makeVerifierKey(this.#options.origin, SIGNATURE_TYPE.ed25519, key.publicKey);
  }

  close(): void {
    try {
      this.#endSegment();
    } catch (error) {
      throw this.#halt(error);
    }
  }

  #sign(size: number, keep: boolean): string {
    const { origin, directory, secondPlace, clock } = this.#options;
    const text = formatCheckpoint({ origin, size, root: this.#tiles.root });
    const { name, keyId } = this.#verifierKey;
    const signature = sign(null, Buffer.from(text), this.#key.privateKey);
    const note = formatNote(text, [{ name, keyId, signature }]);
    if (!secondPlace.swap(origin, this.#lastNote, note)) {
      throw new CountersignError('LEDGER_INCONSISTENT', {
        reason: 'the checkpoint in the second place was changed',
      });
    }
    this.#lastNote = note;
    this.#tiles.write();
    replaceFile(this.#files, join(directory, 'checkpoint'), note, true);
    this.#signedSize = size;
    const now = clock.nowUs();
    if (keep || now - this.#historyUs >= HISTORY_INTERVAL_US) this.#remember(note, now);
    return note;
  }

  #keepLast(): string {
    if (this.#lastNote === undefined) throw internal('no checkpoint to keep');
    this.#remember(this.#lastNote, this.#options.clock.nowUs());
    return this.#lastNote;
  }

  /** The history that evidence chooses its borders from. */
  #remember(note: string, nowUs: number): void {
    this.#historyUs = nowUs;
    const { directory } = this.#options;
    addToHistory(this.#files, directory, { size: this.#signedSize, t: formatTimeUs(nowUs), note });
  }

  #sealBody(event: LedgerEvent): SealedEvent {
    if (EVENTS[event.type] === undefined) throw internal(`no event type ${event.type}`);
    if (event.body === undefined) return NO_BODY;
    const key = this.#scopes.get(event.keyId);
    if (key === undefined) throw new CountersignError('SHREDDED', { session: event.keyId });
    const { commitment, sealed } = this.#sealer.seal(event.body, event.keyId, key);
    if (sealed.length > 2 * LIMITS.ledger.bodyBytesMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'ledger.bodyBytesMax',
        allowed: LIMITS.ledger.bodyBytesMax,
        actual: sealed.length,
      });
    }
    return { body: commitment, sealed };
  }

  /** A clock that goes back is said once; until it has caught up, leaves carry the last time. */
  #stepClock(): void {
    const now = this.#options.clock.nowUs();
    const before = this.#state.lastTimeUs;
    const step = before - now;
    if (step <= LIMITS.ledger.clockStepMs * 1000 || this.#steppedFrom === before) return;
    this.#steppedFrom = before;
    this.stage({
      type: 'clock.step',
      kind: 'system',
      keyId: this.#options.bootId,
      body: { before: formatTimeUs(before), after: formatTimeUs(now), step_us: step, source: 'system' },
    });
  }

  #steppedFrom = -1;

  /**
   * Bytes that are overwritten become durable in one turn of the disk; a file that grows takes a second
   * one for its length. So the file is made longer ahead of its records, and ends in zeros.
   */
  #reserve(end: number): void {
    const { reserved } = this.#segment;
    if (end <= reserved) return;
    const ahead = Math.min(LIMITS.ledger.journalReserveBytes, this.#options.segmentBytesMax - end);
    this.#segment.reserved = end;
    if (ahead <= 0) return;
    this.#zeros ??= new Uint8Array(LIMITS.ledger.journalReserveBytes);
    writeAll(this.#files, this.#fd, this.#zeros.subarray(0, ahead), end);
    this.#segment.reserved = end + ahead;
  }

  /** What was reserved is given back. */
  #endSegment(): void {
    try {
      const { bytes, reserved } = this.#segment;
      if (this.#halted === undefined && reserved > bytes) this.#files.truncate(this.#fd, bytes);
    } finally {
      this.#files.close(this.#fd);
    }
  }

  #createSegment(firstIndex: number): number {
    const fd = this.#files.create(this.#path(firstIndex));
    writeAll(this.#files, fd, segmentHeader(firstIndex), 0);
    this.#files.datasync(fd);
    this.#files.syncDirectory(join(this.#options.directory, 'journal'));
    this.#segment = { firstIndex, bytes: SEGMENT_HEADER_BYTES, reserved: SEGMENT_HEADER_BYTES };
    return fd;
  }

  #nextSegment(): void {
    try {
      const firstIndex = this.#state.nextIndex;
      replaceFile(
        this.#files,
        join(this.#options.directory, 'journal', snapshotName(firstIndex)),
        this.#state.snapshot(),
        true,
      );
      this.#endSegment();
      this.#fd = this.#createSegment(firstIndex);
    } catch (error) {
      throw this.#halt(error);
    }
  }

  #keepBallast(): void {
    const path = this.#ballastPath();
    if (this.#files.exists(path)) return;
    replaceFile(this.#files, path, Buffer.alloc(this.#options.ballastBytes, 0xff), true);
  }

  /** Frees the ballast, takes the failed group back, and says in the log why it ends. */
  #haltOnFullDisk(error: unknown): CountersignError {
    const halted = this.#halt(error);
    try {
      this.#files.remove(this.#ballastPath());
      this.#files.truncate(this.#fd, this.#segment.bytes);
      this.#writeHalt(reasonOf(error));
    } catch {
      // The disk does not even take the farewell; the next start says what it finds.
      return halted;
    }
    return halted;
  }

  /** The last leaf, at the place of the group that failed: its index is the next durable one. */
  #writeHalt(reason: string): void {
    const { origin, bootId } = this.#options;
    const event = { type: 'ledger.halt', kind: 'system', keyId: bootId, body: { reason } };
    const { body, sealed } = this.#sealBody(event);
    const index = this.#tiles.size;
    const timeUs = this.#state.lastTimeUs;
    const leaf = Buffer.from(leafText(event, { origin, bootId, index, timeUs, seq: undefined, body }));
    const record = Buffer.allocUnsafe(recordBytes(leaf, sealed));
    writeRecord(record, 0, leaf, sealed);
    writeAll(this.#files, this.#fd, record, this.#segment.bytes);
    this.#files.datasync(this.#fd);
  }

  #halt(error: unknown): CountersignError {
    this.#halted ??= new CountersignError('LEDGER_HALTED', { reason: reasonOf(error) }, { cause: error });
    return this.#halted;
  }

  #mustWork(): void {
    if (this.#halted !== undefined) throw this.#halted;
  }

  #path(firstIndex: number): string {
    return join(this.#options.directory, 'journal', segmentName(firstIndex));
  }

  #ballastPath(): string {
    return join(this.#options.directory, 'ballast');
  }
}

function isFullDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function internal(reason: string): CountersignError {
  return new CountersignError('INTERNAL', {}, { cause: new Error(reason) });
}
