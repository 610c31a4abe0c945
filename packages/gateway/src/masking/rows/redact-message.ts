/**
 * What a session says beside rows: errors, notices, notifications and settings, without data.
 *
 * Where a message may have data of a masked column in it, what stays of it is what no data can be in:
 * severity, SQLSTATE, position in the client's own text, the place in the server's source; and the names
 * of objects, where the server itself put them there. Everything else goes, and the message says that it did.
 * Where only Masks that detect apply, texts are looked through instead.
 *
 * Spec: PostgreSQL 18, "Error and Notice Message Fields"; spec/masking.md, section 12.
 * Untrusted: every byte. RAISE in a function sets M, D, H, C and the names of objects to what it likes, but
 * not F and R.
 */

import type { Wire } from '../operators/operator.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import type { DetectMask } from '../plan/column-plan.ts';
import type { MaskingTools } from './column-masker.ts';
import { conditionName } from './condition-names.ts';
import { ScannedColumn } from './scanned-column.ts';

/** One field of an ErrorResponse or NoticeResponse. */
export interface MessageField {
  readonly code: string;
  readonly valueBytes: Uint8Array;
}

/** Severity (twice), and file and routine of the server's source. */
const KEPT: ReadonlySet<string> = new Set(['S', 'V', 'F', 'R']);
/** Position in the client's text, and line of the source: kept where they are numbers. */
const NUMBERS: ReadonlySet<string> = new Set(['P', 'L']);
/** Schema, table, column, data type, constraint: names of the schema, which are no data. */
const NAMES: ReadonlySet<string> = new Set(['s', 't', 'c', 'd', 'n']);
/**
 * Where the server names objects of its own accord: keys, foreign keys, checks, NOT NULL, domains, partitions.
 * A function that names them says its own file, `pl_exec.c`.
 */
const NAMING_FILES: ReadonlySet<string> = new Set([
  'nbtinsert.c',
  'execIndexing.c',
  'execMain.c',
  'execPartition.c',
  'execExprInterp.c',
  'ri_triggers.c',
  'domains.c',
  'heap.c',
  'tablecmds.c',
  'typecmds.c',
  'index.c',
  'tuplesortvariants.c',
]);
/** Texts of people, in which data may be: message, detail, hint, context, and a query of the server's own. */
const TEXTS: ReadonlySet<string> = new Set(['M', 'D', 'H', 'W', 'q', 's', 't', 'c', 'd', 'n']);

/** A SQLSTATE that PostgreSQL does not have is five characters that somebody's function chose. */
const RAISED = 'P0001';

/** A message with nothing in it that a masked column may be in. */
export function withheldMessage(fields: readonly MessageField[]): readonly MessageField[] {
  const said = textOf(fields, 'C') ?? '';
  const sqlstate = conditionName(said) === undefined ? RAISED : said;
  const hasNames = NAMING_FILES.has(textOf(fields, 'F') ?? '');
  const seen = new Set<string>();
  const kept = fields.flatMap((field): readonly MessageField[] => {
    const { code } = field;
    if (seen.has(code)) return [];
    seen.add(code);
    if (code === 'C') return [{ code, valueBytes: utf8Bytes(sqlstate) }];
    if (code === 'M') return [{ code, valueBytes: utf8Bytes(sentenceFor(sqlstate)) }];
    if (NUMBERS.has(code)) return isNumber(field.valueBytes) ? [field] : [];
    return KEPT.has(code) || (hasNames && NAMES.has(code)) ? [field] : [];
  });
  return kept;
}

function isNumber(bytes: Uint8Array): boolean {
  return bytes.length < 11 && bytes.every((byte) => byte >= 0x30 && byte <= 0x39);
}

function sentenceFor(sqlstate: string): string {
  const condition = (conditionName(sqlstate) ?? '').replaceAll('_', ' ');
  return `${condition} (the server's message is withheld, because a Mask applies)`;
}

function textOf(fields: readonly MessageField[], code: string): string | undefined {
  const bytes = fields.find((field) => field.code === code)?.valueBytes;
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
}

/** Texts beside rows of a session to which only Masks that detect apply. */
export class MessageScanner {
  readonly #text: ScannedColumn | undefined;

  /** @param masks that look for something; where there are none nothing is found */
  constructor(masks: readonly DetectMask[], settings: Omit<Wire, 'format'>, tools: MaskingTools) {
    if (masks.length === 0) return;
    this.#text = new ScannedColumn(
      {
        kind: 'scan',
        type: { kind: 'base', name: 'text', typmod: -1 },
        hints: { context: 0, statistics: undefined },
        masks,
        column: 'messages',
      },
      { ...settings, format: 'text' },
      tools,
    );
  }

  /** An error or notice with what is found in its texts masked; the same object where nothing is. */
  fields(fields: readonly MessageField[]): readonly MessageField[] {
    let isSame = true;
    const scanned = fields.map((field): MessageField => {
      if (!TEXTS.has(field.code)) return field;
      const valueBytes = this.text(field.valueBytes);
      if (valueBytes === field.valueBytes) return field;
      isSame = false;
      return { code: field.code, valueBytes };
    });
    return isSame ? fields : scanned;
  }

  /** A payload or a setting with what is found in it masked; the same object where nothing is. */
  text(bytes: Uint8Array): Uint8Array {
    const masked = this.#text?.mask(bytes, 0, bytes.length);
    if (masked === undefined) return bytes;
    // Strings of messages end with a zero byte, and cannot have one inside.
    return (masked ?? new Uint8Array(0)).filter((byte) => byte !== 0);
  }
}

/**
 * The payload of a notification to a session with masked columns. Whoever sends it may be another session,
 * and what it sends may be anything; clients know an empty payload as "something happened".
 */
export function withheldPayload(): Uint8Array {
  return new Uint8Array(0);
}

/** Settings that are reported and have few possible values, or a value that only the server's owner gives. */
const CLOSED: ReadonlySet<string> = new Set([
  'client_encoding',
  'datestyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'intervalstyle',
  'is_superuser',
  'scram_iterations',
  'server_encoding',
  'server_version',
  // The name of a role that exists.
  'session_authorization',
  'standard_conforming_strings',
]);

/** What a setting becomes whose value may be data. */
const WITHHELD = utf8Bytes('[REDACTED]');
/** A zone of the same kind, so that clients that read it go on. */
const WITHHELD_ZONE = utf8Bytes('GMT');
/** Names of the time zone database; POSIX zones may have any letters, as `anaexample5`. */
const ZONE =
  /^(GMT|UTC|Etc\/[A-Za-z0-9+-]+|[A-Za-z]{2,16}|[A-Z][A-Za-z]{1,15}\/[A-Za-z_+-]{2,32}(\/[A-Za-z_]{2,32})?)$/;

/**
 * The value of a ParameterStatus in a session with masked columns.
 *
 * `application_name`, `search_path` and settings of extensions are texts that a statement can set to
 * anything that it reads. What the client itself has given (in its start-up packet, in a SET with a
 * constant) tells it nothing.
 *
 * @param given whether the client gave exactly this value itself
 */
export function withheldParameter(name: string, value: Uint8Array, given: boolean): Uint8Array {
  if (given || value.length === 0 || CLOSED.has(name.toLowerCase())) return value;
  if (name.toLowerCase() !== 'timezone') return WITHHELD;
  return ZONE.test(Buffer.from(value).toString('latin1')) ? value : WITHHELD_ZONE;
}
