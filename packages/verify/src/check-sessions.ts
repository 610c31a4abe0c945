/**
 * Sessions that are whole, and what a reader must know of those that are not clean: spec/evidence.md,
 * section 5, `sessions`.
 *
 * Untrusted: leaves and bodies.
 */

import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { type EndedSession, SessionCheck } from '@countersign/ledger/sessions';
import { BOUNDS } from './bounds.ts';
import { LineageCheck } from './check-lineage.ts';
import { ModelCheck } from './check-models.ts';
import { type Findings, PackageError } from './report.ts';

/** Types by which a log says itself that something is missing or out of the ordinary. */
const DECLARED: ReadonlySet<string> = new Set([
  'ledger.gap',
  'ledger.recovered',
  'ledger.rollback',
  'ledger.halt',
  'clock.step',
]);

/** Of what never started. */
const NONE: EndedSession = { statements: 0, requests: 0 };

/** One for each package: takes every leaf of the log, those before the range too. */
export class Sessions {
  readonly #findings: Findings;
  readonly #check = new SessionCheck();
  /** Leaves of the range whose outcome is unknown: whether their statement ran, nobody knows. */
  readonly #inDoubt = new Some();
  readonly #interrupted = new Some();
  readonly #declared = new Some();
  readonly #uncounted = new Some();
  readonly #lineage = new LineageCheck();
  readonly #models = new ModelCheck();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes a leaf before the range. */
  before(leaf: Leaf): void {
    this.#push(leaf);
  }

  /** Takes a leaf of the range, with what is disclosed of its body. */
  within(leaf: Leaf, values: Readonly<Record<string, Json>>): void {
    const ended = this.#push(leaf);
    const stated = values['statements'];
    if (leaf.type === 'session.end' && stated !== undefined) this.#count(leaf, stated, ended);
    for (const problem of this.#lineage.problemsOf(leaf, values)) this.#findings.problem(problem);
    for (const problem of this.#models.problemsOf(leaf, values)) this.#findings.problem(problem);
    if (leaf.status === 'unknown' && leaf.ref !== undefined) this.#inDoubt.add(`leaf ${leaf.ref}`);
    if (leaf.status === 'interrupted') this.#interrupted.add(`${leaf.session ?? ''}, at leaf ${leaf.n}`);
    if (DECLARED.has(leaf.type)) this.#declared.add(`${leaf.type} at leaf ${leaf.n}${detailsOf(values)}`);
  }

  /** After the last leaf. */
  finish(): void {
    const lists = [
      ['in doubt, because their outcome is unknown', this.#inDoubt],
      ['sessions that were interrupted', this.#interrupted],
      ['declared by the log itself', this.#declared],
      ['ends of sessions that do not count requests over HTTP', this.#uncounted],
    ] as const;
    for (const [what, some] of lists) if (some.count > 0) this.#findings.note(`${what}: ${some.text()}`);
    const others = this.#models.otherBaselines;
    if (others > 0) {
      this.#findings.note(
        `looks at models that name another leaf to compare with than the log has before them: ${others}`,
      );
    }
    const open = this.#check.openCount;
    if (open > 0) this.#findings.note(`sessions that are open at the end of the range: ${open}`);
  }

  get inDoubt(): number {
    return this.#inDoubt.count;
  }

  /** Gateways that made packages of 1.2 and before did not count requests over HTTP. */
  #count(leaf: Leaf, stated: Json, { statements, requests }: EndedSession = NONE): void {
    if (stated === statements + requests) return;
    if (stated === statements) this.#uncounted.add(`leaf ${leaf.n}`);
    else {
      this.#findings.problem(
        `leaf ${leaf.n} says that its session had ${JSON.stringify(stated)} statements, and it had ${statements + requests}`,
      );
    }
  }

  #push(leaf: Leaf): EndedSession | undefined {
    const { problems, ended } = this.#check.push(leaf);
    for (const problem of problems) this.#findings.problem(problem);
    this.#lineage.push(leaf);
    if (this.#check.openCount > BOUNDS.openSessionsMax) throw new PackageError('too many open sessions');
    return ended;
  }
}

/** How many, and the first of them. */
class Some {
  readonly #first: string[] = [];
  count = 0;

  add(text: string): void {
    this.count += 1;
    if (this.#first.length < BOUNDS.namedMax) this.#first.push(text);
  }

  text(): string {
    const more = this.count - this.#first.length;
    return `${this.count} (${this.#first.join('; ')}${more > 0 ? `; and ${more} more` : ''})`;
  }
}

function detailsOf(values: Readonly<Record<string, Json>>): string {
  const known = ['from', 'to', 'reason', 'step_us'].flatMap((name) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return typeof value === 'string' || typeof value === 'number' ? [`${name} ${value}`] : [];
  });
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}
