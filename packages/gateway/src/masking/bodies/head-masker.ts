/**
 * Masks in front of a content: the query of a request, which is a form, its path, and the values of fields.
 *
 * Spec: spec/masking.md, section 18.1. Of the query fields of Masks are fields of the form; the rest goes by looks.
 * What stands in another form is one that can be sent: percent-encoded in a query, printable in a field.
 * Untrusted: every character.
 */

import type { HttpFields } from '../../core/http-message.ts';
import { contextOfKey } from '../detect/context.ts';
import { joined } from '../operators/bytes.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { maskBody } from './body-masker.ts';
import { BodyLeaves, type BodyTools } from './body-leaves.ts';
import type { BodyPlan } from './body-plan.ts';
import { FormMasker } from './form-masker.ts';

/** Fields whose values have a grammar in which nothing can be said, and which may look like a date of birth or a key. */
const GRAMMARS: ReadonlyMap<string, RegExp> = new Map([
  ...['date', 'expires', 'if-modified-since', 'if-unmodified-since', 'last-modified'].map(
    (name) => [name, /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/] as const,
  ),
  ['traceparent', /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/],
]);
/** RFC 9110 §5.5 without obs-text: what every server takes. */
const SENDABLE = /^[\t\x20-\x7e]*$/;
/** Under which what is found is counted. */
const HEAD = 'head';

export class HeadMasker {
  readonly #leaves: BodyLeaves;
  readonly #plan: BodyPlan;

  constructor(plan: BodyPlan, tools: BodyTools) {
    this.#plan = plan;
    this.#leaves = new BodyLeaves(plan, tools, HEAD);
  }

  query(query: string): string {
    if (query === '') return query;
    const parts = maskBody(new FormMasker(this.#leaves, this.#plan.places.root), utf8Bytes(query));
    return Buffer.from(joined(parts)).toString('latin1');
  }

  /** The path with what is found in it in another form, to be shown: it would lead somewhere else. */
  path(path: string): string {
    if (!this.#leaves.looks) return path;
    return path
      .split('/')
      .map((segment) => {
        const masked = this.#found(percentDecoded(segment));
        return masked === undefined ? segment : encodeURIComponent(Buffer.from(masked).toString());
      })
      .join('/');
  }

  /**
   * A field is left out whose value cannot be sent behind its masks, in whose name something is found, or in whose
   * value there is something behind percent signs, as in the URL of a page.
   */
  fields(fields: HttpFields): HttpFields {
    if (!this.#leaves.looks) return fields;
    return fields.flatMap(([name, value]): HttpFields => {
      if (GRAMMARS.get(name)?.test(value) === true) return [[name, value]];
      const key = utf8Bytes(name);
      if (this.#found(key) !== undefined) return [];
      const context = contextOfKey(key, 0, key.length);
      const masked = this.#found(Buffer.from(value, 'latin1'), context);
      const text = masked === undefined ? value : Buffer.from(masked).toString('latin1');
      if (masked !== undefined && (text === '' || !SENDABLE.test(text))) return [];
      return text.includes('%') && this.#found(percentDecoded(text), context) !== undefined
        ? []
        : [[name, text]];
    });
  }

  /** A text by its looks. */
  text(text: string): string {
    if (!this.#leaves.looks) return text;
    const masked = this.#found(utf8Bytes(text));
    return masked === undefined ? text : Buffer.from(masked).toString();
  }

  /** Undefined where nothing is found; a text has no null, and is empty then. */
  #found(bytes: Uint8Array, context = 0): Uint8Array | undefined {
    const masked = this.#leaves.string(bytes, 0, bytes.length, context, undefined);
    return masked === null ? EMPTY : masked;
  }
}

const EMPTY = new Uint8Array(0);

/** The bytes that a text stands for, whether they are UTF-8 or not. */
function percentDecoded(written: string): Uint8Array {
  const text = written.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(text, 'latin1');
}
