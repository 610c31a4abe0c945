/**
 * Which notices are trees of the server's own, and which of those are of the statement itself.
 *
 * Spec: PostgreSQL 18, "Error and Notice Message Fields"
 * (https://www.postgresql.org/docs/18/protocol-error-fields.html); src/backend/nodes/print.c,
 * `elog_node_display`; src/backend/tcop/postgres.c, `pg_rewrite_query`.
 *
 * With `debug_print_rewritten` the tree is the DETAIL of a message that is made in print.c. File (F) and
 * routine (R) are what the compiler put there: RAISE and every other language's log call give their own, so
 * that nobody without a library in C can make them up. Severity is read from V and the title from M, which
 * no `lc_messages` translates; S is in the server's language. A tree of a statement inside of a function, a DO
 * or a trigger comes with a context (W); that of the statement itself has none.
 *
 * Refused: titles of the other settings (`parse tree:`, `plan:`), a field twice, a field that
 * `elog_node_display` does not give. Untrusted: every field.
 */

/** One field, as protocols/postgres has it. */
export interface NoticeField {
  readonly code: string;
  readonly valueBytes: Uint8Array;
}

export type ClassifiedNotice =
  /** The statement's own tree. */
  | { readonly kind: 'tree'; readonly treeBytes: Uint8Array }
  /**
   * Of a statement that runs inside of another. With `log_parameter_max_length_on_error` other than 0 the
   * statement's own tree has a context too where Bind makes it anew, so that setting has to stay at 0.
   */
  | { readonly kind: 'nested-tree'; readonly treeBytes: Uint8Array }
  | { readonly kind: 'ordinary' };

/** What the field has to be, where it has to be something. */
const WANTED: Readonly<Record<string, string | undefined>> = {
  V: 'LOG',
  C: '00000',
  M: 'rewritten parse tree:',
  F: 'print.c',
  R: 'elog_node_display',
};

/** What may be anything. */
const FREE = 'SDLW';

const ORDINARY: ClassifiedNotice = { kind: 'ordinary' };

/** @param fields of a NoticeResponse */
export function classifyNotice(fields: readonly NoticeField[]): ClassifiedNotice {
  const seen = new Set<string>();
  let treeBytes: Uint8Array | undefined;
  for (const { code, valueBytes } of fields) {
    const wanted = WANTED[code];
    const right = wanted === undefined ? FREE.includes(code) : isText(valueBytes, wanted);
    if (!right || seen.has(code)) return ORDINARY;
    seen.add(code);
    if (code === 'D') treeBytes = valueBytes;
  }
  const complete = Object.keys(WANTED).every((code) => seen.has(code));
  if (!complete || treeBytes === undefined) return ORDINARY;
  return { kind: seen.has('W') ? 'nested-tree' : 'tree', treeBytes };
}

function isText(bytes: Uint8Array, ascii: string): boolean {
  if (bytes.length !== ascii.length) return false;
  for (let i = 0; i < bytes.length; i += 1) if (bytes[i] !== ascii.charCodeAt(i)) return false;
  return true;
}
