/**
 * Whether sessions are whole: spec/ledger.md, section 7, "Sessions".
 *
 * Takes every leaf of a log from the first on. Memory grows with the sessions and intents that are
 * open. Untrusted: leaves.
 */

import type { Leaf } from './leaf.ts';

/** What each type of intent is answered by. */
export const OUTCOME_OF: Readonly<Record<string, string>> = {
  'statement.intent': 'statement.outcome',
  'exec.intent': 'exec.outcome',
  'file.intent': 'file.outcome',
  'http.intent': 'http.outcome',
  'rerank.call': 'rerank.result',
};

const OUTCOMES: ReadonlySet<string> = new Set(Object.values(OUTCOME_OF));

interface OpenSession {
  nextSeq: number;
  /** `statement.intent` so far, */
  statements: number;
  /** and `http.intent`. */
  requests: number;
  /** Type of each intent without an outcome, by index. */
  readonly intents: Map<number, string>;
}

/** What one leaf says of its session. */
export interface SessionFindings {
  readonly problems: readonly string[];
  /** The Operations of a session that this leaf ended, as its leaves have them. */
  readonly ended: EndedSession | undefined;
}

export interface EndedSession {
  /** `statement.intent` */
  readonly statements: number;
  /** `http.intent` */
  readonly requests: number;
}

const NOTHING: SessionFindings = { problems: [], ended: undefined };

/** The owner of what is open; one for each pass over a log. */
export class SessionCheck {
  readonly #open = new Map<string, OpenSession>();

  /** Sessions that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Takes the next leaf. */
  push(leaf: Leaf): SessionFindings {
    const { session, seq, type, n } = leaf;
    if (session === undefined || seq === undefined) return this.#outside(leaf);
    const known = this.#open.get(session);
    if (type === 'session.start') {
      this.#open.set(session, { nextSeq: 1, statements: 0, requests: 0, intents: new Map() });
      const again = known === undefined ? [] : [`leaf ${n}: ${session} starts again`];
      return { ...NOTHING, problems: [...again, ...seqProblem(leaf, 0)] };
    }
    if (known === undefined) {
      return { ...NOTHING, problems: [`leaf ${n} (${type}): ${session} did not start, or has ended`] };
    }
    const problems = [...seqProblem(leaf, known.nextSeq), ...this.#intents(leaf, known)];
    known.nextSeq = seq + 1;
    if (type !== 'session.end') return problems.length === 0 ? NOTHING : { ...NOTHING, problems };
    this.#open.delete(session);
    for (const [intent, intentType] of known.intents) {
      problems.push(`leaf ${intent} (${intentType}) has no outcome, and its session ended at leaf ${n}`);
    }
    const { statements, requests } = known;
    return { problems, ended: { statements, requests } };
  }

  #intents({ n, type, ref }: Leaf, open: OpenSession): readonly string[] {
    if (Object.hasOwn(OUTCOME_OF, type)) {
      open.intents.set(n, type);
      if (type === 'statement.intent') open.statements += 1;
      if (type === 'http.intent') open.requests += 1;
      return [];
    }
    if (!OUTCOMES.has(type)) return [];
    if (ref === undefined) return [`leaf ${n} (${type}) says not which intent it is the outcome of`];
    const intent = open.intents.get(ref);
    if (intent === undefined || OUTCOME_OF[intent] !== type) {
      return [`leaf ${n} (${type}): leaf ${ref} is no open intent of its session`];
    }
    open.intents.delete(ref);
    return [];
  }

  /** What has an intent or an outcome has a session. */
  #outside({ n, type }: Leaf): SessionFindings {
    const inSession = type === 'session.start' || type === 'session.end';
    if (!inSession && !Object.hasOwn(OUTCOME_OF, type) && !OUTCOMES.has(type)) return NOTHING;
    return { ...NOTHING, problems: [`leaf ${n} (${type}) is of no session`] };
  }
}

function seqProblem({ n, seq, session }: Leaf, expected: number): readonly string[] {
  if (seq === expected) return [];
  return [`expected seq ${expected} in ${session ?? ''}, got ${seq ?? 'none'} at leaf ${n}`];
}
