/**
 * Looks at the models behind connections: on a schedule and when somebody asks. What differs from before, and nobody
 * had agreed to, is a finding.
 *
 * Spec: spec/events.md, "Models that are looked at". Each look is a leaf, also one that nobody answered; a service that
 * fails makes no finding. The one owner of schedules and of what runs.
 */

import { likenessOf, SETTLE_SECONDS } from '@countersign/ledger/model-compare';
import { type Clock, formatTimeUs } from '../core/clock.ts';
import { CountersignError, reasonOf, toCountersignError } from '../core/errors.ts';
import type { Appended, BodyValue, LedgerEvent } from '../core/ledger-port.ts';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import type { Answered, Question, Unanswered } from './ask-upstream.ts';
import { failureText, type Look, lookAtCanary, lookAtIdentity, type ProbeKind, type Seen } from './look.ts';
import { advanced, type ProbeLeaf, type ProbeState, type ProbeStates, recovered } from './probe-state.ts';

/** A connection whose model is looked at. */
export interface ProbedConnection {
  readonly name: string;
  readonly identity: string | undefined;
  readonly canary: string | undefined;
  readonly model: string | undefined;
  readonly everyMs: number;
  readonly tolerance: string;
  readonly reviewers: readonly string[];
}

/** Who asked for a look, as its leaf says; undefined: the schedule did. */
export type ProbeAsker = Pick<LedgerEvent, 'kind' | 'actor'>;

export interface ProbeReport {
  readonly kind: ProbeKind;
  readonly status: 'same' | 'changed' | 'unknown';
  /** Index of the leaf. */
  readonly leaf: number;
  readonly at: string;
  /** It differs, and nobody had agreed to that. */
  readonly finding: boolean;
  /** There was nothing to compare it with. */
  readonly first: boolean;
  /** Of what was seen, */
  readonly digest?: string;
  /** and of what it was compared with. */
  readonly was?: string;
  /** The `hold.taken` that let it. */
  readonly approval?: number;
  readonly failure?: string;
}

/** A finding, for whom it concerns. */
export interface FoundChange {
  readonly connection: ProbedConnection;
  readonly report: ProbeReport;
}

export interface ModelProbesOptions {
  readonly clock: Clock;
  /** Those that say so at this moment. */
  readonly connections: () => readonly ProbedConnection[];
  readonly ask: (
    connection: string,
    question: Question,
    signal: AbortSignal,
  ) => Promise<Answered | Unanswered>;
  readonly append: (event: LedgerEvent) => Promise<Appended>;
  /** Who writes what the schedule does, and under whose key all bodies are: a baseline outlives who asked for it. */
  readonly system: Pick<LedgerEvent, 'kind' | 'keyId'>;
  readonly states: ProbeStates;
  /** Looks at models at the end of the log, by connection; asked for once, before the first look. */
  readonly lastLeaves: () => Promise<ReadonlyMap<string, readonly ProbeLeaf[]>>;
  /** The newest `hold.taken` after a time, and behind a leaf, by which people let the model of a connection be changed. */
  readonly approvedChange: (
    connection: string,
    sinceUs: number,
    behind: number,
  ) => Promise<number | undefined>;
  readonly onFound: (found: FoundChange) => void;
  readonly onError: (error: CountersignError, where: string) => void;
}

/** What is known of one connection. */
export interface ProbedModel {
  readonly connection: ProbedConnection;
  readonly probes: readonly {
    readonly kind: ProbeKind;
    readonly dialect: string;
    readonly state: ProbeState | undefined;
    /** Why the last look was not answered. */
    readonly failure: string | undefined;
  }[];
}

type Body = Readonly<Record<string, BodyValue>>;

interface Judged {
  readonly before: ProbeState | undefined;
  readonly isChanged: boolean;
  readonly approval: number | undefined;
}

export class ModelProbes {
  readonly #options: ModelProbesOptions;
  /** When the last look began, by the monotonic clock. */
  readonly #beganUs = new Map<string, number>();
  /** The last of the looks at a connection, of which one runs at a time, and how many wait. */
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waiting = new Map<string, number>();
  readonly #failures = new Map<string, string>();
  readonly #closing = new AbortController();
  #leaves: Promise<ReadonlyMap<string, readonly ProbeLeaf[]>> | undefined;

  constructor(options: ModelProbesOptions) {
    this.#options = options;
  }

  /** Begins what is due; a connection that is new is due at once. */
  tick(): void {
    const { clock, connections, onError } = this.#options;
    const all = connections();
    for (const name of this.#beganUs.keys()) {
      if (!all.some((one) => one.name === name)) this.#beganUs.delete(name);
    }
    for (const connection of all) {
      const { name, everyMs } = connection;
      const beganUs = this.#beganUs.get(name);
      const isDue = beganUs === undefined || clock.monotonicUs() - beganUs >= everyMs * 1_000;
      if (!isDue || this.#last.has(name) || this.#last.size >= LIMITS.atOnceMax) continue;
      this.#queue(connection, undefined).catch((error: unknown) =>
        onError(toCountersignError(error), `model of ${name}`),
      );
    }
  }

  /** Looks now; rejects with REQUEST_INVALID where the connection is not looked at, and where too many wait. */
  async probe(name: string, asker: ProbeAsker): Promise<readonly ProbeReport[]> {
    const connection = this.#connection(name);
    const { waitingMax: allowed } = LIMITS;
    if ((this.#waiting.get(name) ?? 0) >= allowed) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed, what: 'looks at this model that wait' });
    }
    return this.#queue(connection, asker);
  }

  async list(): Promise<readonly ProbedModel[]> {
    return Promise.all(this.#options.connections().map((connection) => this.#model(connection)));
  }

  async show(name: string): Promise<ProbedModel> {
    return this.#model(this.#connection(name));
  }

  /** Gives up what runs. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#last.values());
  }

  #connection(name: string): ProbedConnection {
    const found = this.#options.connections().find((one) => one.name === name);
    if (found !== undefined) return found;
    const reason = `connection "${name}" has no probes, so that nobody looks at its model`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }

  async #model(connection: ProbedConnection): Promise<ProbedModel> {
    const probes = kindsOf(connection).map(async ([kind, dialect]) => ({
      kind,
      dialect,
      state: await this.#state(connection.name, kind),
      failure: this.#failures.get(`${kind} ${connection.name}`),
    }));
    return { connection, probes: await Promise.all(probes) };
  }

  /** One look at a connection at a time, so that each is compared with the one before it. */
  async #queue(connection: ProbedConnection, asker: ProbeAsker | undefined): Promise<readonly ProbeReport[]> {
    const { name } = connection;
    const before = this.#last.get(name) ?? Promise.resolve();
    this.#waiting.set(name, (this.#waiting.get(name) ?? 0) + 1);
    const run = before
      .catch(() => undefined)
      .then(() => {
        this.#beganUs.set(name, this.#options.clock.monotonicUs());
        return this.#look(connection, asker);
      });
    this.#last.set(name, run);
    try {
      return await run;
    } finally {
      const waiting = (this.#waiting.get(name) ?? 1) - 1;
      if (waiting === 0) this.#waiting.delete(name);
      else this.#waiting.set(name, waiting);
      if (this.#last.get(name) === run) this.#last.delete(name);
    }
  }

  async #look(connection: ProbedConnection, asker: ProbeAsker | undefined): Promise<readonly ProbeReport[]> {
    const { name, model } = connection;
    const { signal } = this.#closing;
    const ask = (question: Question): Promise<Answered | Unanswered> =>
      this.#options.ask(name, question, signal);
    const reports: ProbeReport[] = [];
    for (const [kind, dialect] of kindsOf(connection)) {
      if (signal.aborted) break;
      const look = kind === 'identity' ? lookAtIdentity : lookAtCanary;
      // A look that the end of the gateway cut off says nothing about the service.
      // oxlint-disable-next-line no-await-in-loop -- One question after the other.
      const looked = await look(dialect, model, ask);
      if (signal.aborted) break;
      // oxlint-disable-next-line no-await-in-loop -- As above.
      reports.push(await this.#settle(connection, kind, looked, asker));
    }
    return reports;
  }

  /** Compares, writes it down, and tells whom it concerns. */
  async #settle(
    connection: ProbedConnection,
    kind: ProbeKind,
    { source, seen }: Look,
    asker: ProbeAsker | undefined,
  ): Promise<ProbeReport> {
    const { states, onFound } = this.#options;
    const { name } = connection;
    const body: Body = { ...commonBody(connection, asker), source };
    if (typeof seen === 'string') return this.#unanswered(name, kind, body, seen, asker);
    const judged = await this.#judge(connection, kind, seen);
    if (typeof judged === 'string') return this.#unanswered(name, kind, body, judged, asker);
    this.#failures.delete(`${kind} ${name}`);
    const { before, isChanged, approval } = judged;
    const status = isChanged ? 'changed' : 'same';
    const said = { ...body, ...seenBody(seen, connection), ...comparedBody(judged) };
    const written = await this.#append(name, kind, status, said, asker);
    const isNew = isChanged || before === undefined;
    const next = advanced(before, written, { seen: isNew ? seen : undefined, isChanged, approval });
    if (next !== undefined) await states.save(name, kind, next);
    const report: ProbeReport = {
      kind,
      status,
      leaf: written.index,
      at: written.at,
      finding: isChanged && approval === undefined,
      first: before === undefined,
      digest: seen.digest,
      ...(before === undefined ? {} : { was: before.baseline.seen.digest }),
      ...(approval === undefined ? {} : { approval }),
    };
    if (report.finding) onFound({ connection, report });
    return report;
  }

  async #unanswered(
    name: string,
    kind: ProbeKind,
    body: Body,
    why: string,
    asker: ProbeAsker | undefined,
  ): Promise<ProbeReport> {
    const failure = failureText(why);
    this.#failures.set(`${kind} ${name}`, failure);
    const { index: leaf, at } = await this.#append(name, kind, 'unknown', { ...body, failure }, asker);
    return { kind, status: 'unknown', leaf, at, finding: false, first: false, failure };
  }

  /** A text says why nobody can tell: then nothing is compared, and the next look is compared with what was before. */
  async #judge({ name, tolerance }: ProbedConnection, kind: ProbeKind, seen: Seen): Promise<Judged | string> {
    try {
      const before = await this.#state(name, kind);
      const isChanged = before !== undefined && differs(before.baseline.seen, seen, tolerance);
      if (!isChanged) return { before, isChanged, approval: undefined };
      const sinceUs = before.answered.us - SETTLE_SECONDS * 1_000_000;
      const approval = await this.#options.approvedChange(name, sinceUs, before.usedApproval ?? -1);
      return { before, isChanged, approval };
    } catch (error) {
      this.#options.onError(toCountersignError(error), `model of ${name}`);
      return `nobody can tell whether it is as before: ${reasonOf(error)}`;
    }
  }

  async #state(name: string, kind: ProbeKind): Promise<ProbeState | undefined> {
    const { states, lastLeaves } = this.#options;
    const leaves = (this.#leaves ??= lastLeaves());
    // Where the log cannot be read now, it is tried again.
    leaves.catch(() => {
      this.#leaves = undefined;
    });
    return recovered(await states.load(name, kind), kind, (await leaves).get(name) ?? []);
  }

  async #append(
    target: string,
    kind: ProbeKind,
    status: ProbeReport['status'],
    body: Body,
    asker: ProbeAsker | undefined,
  ): Promise<{ readonly index: number; readonly at: string; readonly us: number }> {
    const { append, system } = this.#options;
    const by = { ...system, ...asker };
    const { index, timeUs } = await append({ ...by, type: `model.${kind}`, status, target, body });
    return { index, at: formatTimeUs(timeUs), us: timeUs };
  }
}

function kindsOf({ identity, canary }: ProbedConnection): readonly (readonly [ProbeKind, string])[] {
  return [
    ...(identity === undefined ? [] : [['identity', identity] as const]),
    ...(canary === undefined ? [] : [['canary', canary] as const]),
  ];
}

function differs(before: Seen, after: Seen, tolerance: string): boolean {
  if (before.kind === 'canary' && after.kind === 'canary') {
    return likenessOf(before, after, Number(tolerance)) === 'different';
  }
  return before.digest !== after.digest;
}

function commonBody({ name, model }: ProbedConnection, asker: ProbeAsker | undefined): Body {
  return {
    connection: name,
    ...(model === undefined ? {} : { model }),
    why: asker === undefined ? 'schedule' : 'demand',
  };
}

function seenBody(seen: Seen, { tolerance }: ProbedConnection): Body {
  return seen.kind === 'identity'
    ? { model_identity: seen.digest, identity: seen.identity }
    : { fingerprint: seen.digest, order: seen.order, scores: seen.scores, tolerance };
}

function comparedBody({ before, approval }: Judged): Body {
  return {
    ...(before === undefined ? {} : { previous: previousBody(before) }),
    ...(approval === undefined ? {} : { approval }),
  };
}

function previousBody({ baseline: { leaf, seen } }: ProbeState): BodyValue {
  return { leaf, [seen.kind === 'identity' ? 'model_identity' : 'fingerprint']: seen.digest };
}
