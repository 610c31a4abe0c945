/**
 * What errors, notices and notifications may say in a session whose results are masked.
 *
 * Spec: spec/masking.md, "Messages". Fields as PostgreSQL 18, "Error and Notice Message Fields". A message keeps
 * its words where it is certain that no value of a table is in them: the server wrote it before anything ran (it
 * has a place in the client's own text, or comes from a source file that knows no values), or what ran touches
 * nothing that is masked. A message from within a function (W) never keeps them. File (F) is what the compiler put
 * there: no RAISE can make it up.
 */

import type { StatementFacts } from '../../../core/effects.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { encodeBackend } from '../../../protocols/postgres/encode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND, type ErrorOrNotice, type StartupParameter } from '../../../protocols/postgres/messages.ts';
import type { CompiledRules } from '../../../masking/detect/custom-rules.ts';
import { hideMessage } from '../../../literals/hide-message.ts';
import { withheldMessage, withheldParameter, withheldPayload } from '../../../masking/rows/redact-message.ts';
import type { KnownTree } from './known-trees.ts';
import type { OperationMasking } from './operation-masking.ts';
import type { Learned } from './result-origins.ts';

/** What a message is about. */
export interface MessageAbout {
  readonly statement: StatementFacts | undefined;
  readonly trees: readonly KnownTree[];
}

/**
 * Sources of PostgreSQL that write of rights, of the state of a session and of what a text says itself. Not among
 * them are those that a function may call with a value while a statement runs: names of relations, types and roles.
 */
const KNOWS_NO_VALUES: ReadonlySet<string> = new Set([
  'aclchk.c',
  'analyze.c',
  'dropcmds.c',
  'lock.c',
  'parse_utilcmd.c',
  'portalcmds.c',
  'postgres.c',
  'prepare.c',
  'proc.c',
  'tablecmds.c',
  'xact.c',
]);

/** From the quietest. `client_min_messages` as PostgreSQL compares it: LOG stands below NOTICE. */
const LEVELS: readonly string[] = [
  'debug5',
  'debug4',
  'debug3',
  'debug2',
  'debug1',
  'log',
  'notice',
  'warning',
  'error',
];

const WRITES: ReadonlySet<string> = new Set([
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
]);

/** Owned by one session. */
export class MaskedMessages {
  readonly #learned: Learned;
  readonly #given: readonly StartupParameter[];
  readonly #rules: () => CompiledRules | undefined;
  /** `client_min_messages` as the client has it. */
  #level = 'notice';

  /**
   * @param given parameters with which the client started
   * @param rules what Detectors find beside the scanner's own, now
   */
  constructor(
    learned: Learned,
    given: readonly StartupParameter[],
    rules: () => CompiledRules | undefined = () => undefined,
  ) {
    this.#rules = rules;
    this.#learned = learned;
    this.#given = given;
  }

  /** The client's own `client_min_messages`. */
  showFrom(level: string): void {
    const lower = level.toLowerCase();
    this.#level = lower === 'debug' ? 'debug2' : lower;
  }

  get shownFrom(): string {
    return this.#level;
  }

  /** An ErrorResponse, whole. */
  error(frame: Uint8Array, about: MessageAbout, masking: OperationMasking): Uint8Array {
    return this.#said(frame, about, masking);
  }

  /** Whether an ErrorResponse, whole, ends the session. */
  isFatal(frame: Uint8Array): boolean {
    const message = read(frame);
    return message !== undefined && FATAL.has(field(message, 'V'));
  }

  /** A NoticeResponse, whole; undefined where the client does not want it. */
  notice(
    frame: Uint8Array,
    about: MessageAbout,
    masking: OperationMasking | undefined,
  ): Uint8Array | undefined {
    const message = read(frame);
    if (message === undefined || !this.#isWanted(field(message, 'V'))) return undefined;
    return masking === undefined ? frame : this.#said(frame, about, masking);
  }

  notification(frame: Uint8Array): Uint8Array {
    const message = decodeBackend(BACKEND.NotificationResponse, frame.subarray(HEADER_LENGTH));
    if (message.kind !== 'NotificationResponse' || message.payloadBytes.length === 0) return frame;
    return encodeBackend({ ...message, payloadBytes: withheldPayload() });
  }

  parameterStatus(frame: Uint8Array): Uint8Array {
    const message = decodeBackend(BACKEND.ParameterStatus, frame.subarray(HEADER_LENGTH));
    if (message.kind !== 'ParameterStatus') return frame;
    const { name, valueBytes } = message;
    const value = withheldParameter(name, valueBytes, this.#isGiven(name, valueBytes));
    return value === valueBytes ? frame : encodeBackend({ ...message, valueBytes: value });
  }

  /** Of what the client itself has said at its start. */
  #isGiven(name: string, value: Uint8Array): boolean {
    return this.#given.some(
      ([key, given]) => Buffer.from(key).toString() === name && Buffer.compare(given, value) === 0,
    );
  }

  #isWanted(severity: string): boolean {
    if (severity === 'INFO') return true;
    const at = LEVELS.findIndex((level) => severity.toLowerCase().startsWith(level));
    return at === -1 || at >= LEVELS.indexOf(this.#level);
  }

  #said(frame: Uint8Array, about: MessageAbout, masking: OperationMasking): Uint8Array {
    const message = read(frame);
    if (message === undefined) return frame;
    const keeps = this.#keeps(message, about);
    const fields =
      keeps === 'nothing' ? withheldMessage(message.fields) : keptFields(message, keeps, this.#rules());
    if (fields === message.fields) return frame;
    masking.messages += 1;
    return encodeBackend({ ...message, fields });
  }

  #keeps(message: ErrorOrNotice, { statement, trees }: MessageAbout): 'all' | 'but details' | 'nothing' {
    const has = (code: string): boolean => message.fields.some((one) => one.code === code);
    // What the server logs has the text and the values of a statement: log_statement, log_min_duration_statement.
    if (field(message, 'V') === 'LOG') return 'nothing';
    // From within a function, or about a query that a function made.
    if (has('W') || has('q') || has('p')) return 'nothing';
    // It has a place in the client's own text: the server was still reading that.
    if (has('P') || KNOWS_NO_VALUES.has(field(message, 'F'))) return 'all';
    const isClean =
      trees.length > 0 && trees.every((tree) => tree.kind === 'query' && this.#learned.isClean(tree.labels));
    if (!isClean || statement === undefined) return 'nothing';
    return WRITES.has(statement.node) ? 'but details' : 'all';
  }
}

/** What the server says of a text that it does not take, before it runs: the literals that it quotes are hidden. */
export function refusalWords<R extends { readonly message: string; readonly frame: Uint8Array }>(said: R): R {
  const message = read(said.frame);
  const fields = message === undefined ? [] : keptFields(message, 'all');
  if (message === undefined || fields === message.fields) return said;
  const hidden = { ...message, fields };
  const words = fields.find(({ code }) => code === 'M')?.valueBytes ?? new Uint8Array(0);
  return { ...said, message: Buffer.from(words).toString('utf8'), frame: encodeBackend(hidden) };
}

const FATAL: ReadonlySet<string> = new Set(['FATAL', 'PANIC']);

/** Texts of a message that keeps its words: literals may be quoted in them. */
const QUOTING: ReadonlySet<string> = new Set(['M', 'D', 'H']);

/** The same object where nothing of it goes. */
function keptFields(
  message: ErrorOrNotice,
  keeps: 'all' | 'but details',
  rules?: CompiledRules,
): ErrorOrNotice['fields'] {
  const sqlstate = field(message, 'C');
  let isSame = true;
  const kept = message.fields.flatMap((one) => {
    const isDropped = keeps === 'but details' && one.code === 'D';
    const valueBytes = QUOTING.has(one.code) ? hideMessage(sqlstate, one.valueBytes, rules) : one.valueBytes;
    if (!isDropped && valueBytes === one.valueBytes) return [one];
    isSame = false;
    return isDropped ? [] : [{ code: one.code, valueBytes }];
  });
  return isSame ? message.fields : kept;
}

function read(frame: Uint8Array): ErrorOrNotice | undefined {
  const message = decodeBackend(frame[0] ?? 0, frame.subarray(HEADER_LENGTH));
  return message.kind === 'ErrorResponse' || message.kind === 'NoticeResponse' ? message : undefined;
}

function field(message: ErrorOrNotice, code: string): string {
  const value = message.fields.find((one) => one.code === code)?.valueBytes;
  return value === undefined ? '' : Buffer.from(value).toString('latin1');
}
