/**
 * From leaves and bodies to the populations of a period: spec/evidence.md, section 3.
 *
 * A fold: memory grows with the sessions and statements that are open, and no more. The exporter writes
 * what it gives, the verifier compares. Untrusted: leaves and bodies.
 */

import { ApprovalRows } from './approval-rows.ts';
import { BreakGlassRows } from './breakglass-rows.ts';
import { toHex } from './bytes.ts';
import { type ChangeEvent, ChangeRows } from './change-rows.ts';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { findingCells, MODEL_PROBES, ModelRows } from './model-rows.ts';
import { MaskVersions } from './mask-versions.ts';
import { isBlockedByMask, MaskingRows } from './masking-rows.ts';
import { RerankRows } from './rerank-rows.ts';
import { RevealRows } from './reveal-rows.ts';
import { COMMON_COLUMNS, POPULATION_NAMES, type PopulationName, POPULATIONS } from './population-columns.ts';

/** What became of a leaf's body in a package. */
export type BodyState = 'disclosed' | 'shredded' | 'withheld' | 'none';

/** A leaf of the range, with what is known of its body. */
export interface PopulationEvent {
  readonly leaf: Leaf;
  readonly hash: Uint8Array;
  /** Disclosed values; empty unless the body is disclosed. */
  readonly values: Readonly<Record<string, Json>>;
  readonly bodyState: BodyState;
}

export interface PopulationRow {
  readonly population: PopulationName;
  readonly row: Row;
}

/** Leaf times: from ≤ t < to. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

type Values = Readonly<Record<string, Json>>;

const ACTOR_FIELDS = [
  'changed_by',
  'requested_by',
  'created_by',
  'revoked_by',
  'reviewer',
  'auditor',
  'name',
];
const OBJECT_FIELDS = [
  'name',
  'token_id',
  'connection',
  'viewed_session',
  'scope',
  'package_id',
  'backup_id',
  'digest',
];
/** Who asked, decided or gave up. */
const APPROVAL_ACTOR_FIELDS = ['requester', 'approver', 'withdrawn_by'];
/** Of an operation that was blocked, as `denied` shows it. */
const BLOCKED_FIELDS = ['rules', 'effects', 'sql', 'method', 'path'];
const BLOCKED_BY_MASK_FIELDS = [...BLOCKED_FIELDS, 'masks', 'tables', 'reason'];
/** What Masks are made, changed and deleted by, as all resources. */
export const RESOURCE_CHANGES: ReadonlySet<string> = new Set(['resource.apply', 'resource.delete']);
const OBJECT_KIND_FIELDS = ['resource_kind', 'credential_kind'];

/** These show events that are of another population too. */
const BESIDE: ReadonlySet<PopulationName> = new Set([
  'denied',
  'changes',
  'changes-unapproved',
  'breakglass',
  'breakglass-unreviewed',
  'masking-blocked',
  'model-probes',
] as const);
const POPULATION_OF: ReadonlyMap<string, PopulationName> = new Map(
  POPULATION_NAMES.filter((name) => !BESIDE.has(name)).flatMap((name) =>
    POPULATIONS[name].types.map((type) => [type, name] as const),
  ),
);
const BROKEN: ReadonlySet<string> = new Set(POPULATIONS.breakglass.types);
const DENIED: ReadonlySet<string> = new Set(POPULATIONS.denied.types);

/** Where another field than `name` says who it was. */
const ACTORS: Readonly<Partial<Record<PopulationName, readonly string[]>>> = {
  'administrative-changes': ACTOR_FIELDS,
  approvals: APPROVAL_ACTOR_FIELDS,
  denied: ['name', 'approver'],
  breakglass: ['requester', 'reviewer'],
};

/** The owner of what is open; one for each pass over a range. */
export class PopulationFold {
  readonly #period: Period;
  /** Values of `session.start` of each open session. */
  readonly #sessions = new Map<string, Values>();
  /** Rows of open sessions by session id, */
  readonly #openSessions = new Map<string, Row>();
  /** and of open statements by the index of their intent. */
  readonly #openStatements = new Map<number, Row>();
  readonly #openRequests = new Map<number, Row>();
  readonly #approvals = new ApprovalRows();
  readonly #changes = new ChangeRows();
  readonly #breakGlass: BreakGlassRows;
  readonly #masking = new MaskingRows();
  readonly #reveals = new RevealRows();
  readonly #reranked = new RerankRows();
  readonly #models = new ModelRows();
  readonly #masks: MaskVersions;

  constructor(period: Period) {
    this.#period = period;
    this.#masks = new MaskVersions(period);
    this.#breakGlass = new BreakGlassRows(period.to);
  }

  /**
   * What lies before the range and has no row: a session that is still open, whose events have its people, and a
   * change of a resource, which may be a Mask.
   */
  context(event: PopulationEvent): void {
    const { session, type } = event.leaf;
    if (type === 'session.start' && session !== undefined) this.#sessions.set(session, event.values);
    if (RESOURCE_CHANGES.has(type)) this.#masks.change(event.leaf, event.values);
  }

  /** After the last leaf: `masking-rules.json`. */
  maskingRules(): string {
    return this.#masks.format();
  }

  /** Takes the next leaf; the rows that it completes. */
  push(event: PopulationEvent): readonly PopulationRow[] {
    this.context(event);
    const { leaf } = event;
    this.#models.see(leaf);
    const denied = this.#denied(event);
    this.#reveals.used(leaf, event.values);
    const completed = this.#join(event);
    if (leaf.type === 'session.end' && leaf.session !== undefined) this.#sessions.delete(leaf.session);
    const own = completed ?? this.#own(event);
    const reranked = this.#rerank(event);
    const changes = this.#changed(event);
    return [
      ...(own === undefined ? [] : [own]),
      ...(denied === undefined ? [] : [denied]),
      ...(reranked === undefined ? [] : [reranked]),
      ...(changes === undefined ? [] : changes),
      ...this.#broken(event),
      ...this.#masked(event),
      ...this.#probed(event),
    ];
  }

  #masked(event: PopulationEvent): readonly PopulationRow[] {
    const { leaf, values } = event;
    if (!this.#isInPeriod(leaf)) return [];
    const people = this.#peopleOf(event);
    this.#masking.push(leaf, values, valueOf(people, 'name'));
    this.#masks.statement(values);
    if (leaf.type === 'mask.role') this.#masks.serverRole(leaf, values);
    if (!isBlockedByMask(leaf, values)) return [];
    const row = { ...this.#rowOf('masking-blocked', event), ...cellsOf(values, BLOCKED_BY_MASK_FIELDS) };
    return [{ population: 'masking-blocked', row }];
  }

  /** Before the change of its request is complete, so that what let it is still known. */
  #rerank(event: PopulationEvent): PopulationRow | undefined {
    const { leaf, values } = event;
    switch (leaf.type) {
      case 'http.intent':
        this.#reranked.request(leaf, values);
        return undefined;
      case 'rerank.call':
        if (this.#isInPeriod(leaf)) {
          const people = cellsOf(this.#peopleOf(event), ['principal', 'client']);
          const row = { ...this.#rowOf('rerank-requests', event), ...people };
          this.#reranked.begin(leaf, values, row);
        }
        return undefined;
      case 'http.outcome':
        this.#reranked.outcome(leaf, values, this.#changes.letOf(leaf.ref));
        return undefined;
      case 'rerank.result': {
        const row = this.#reranked.result(leaf, values);
        return row === undefined ? undefined : { population: 'rerank-requests', row };
      }
      default:
        return undefined;
    }
  }

  /** What a look at a model found, and once more as a change where nobody had agreed to it. */
  #probed(event: PopulationEvent): readonly PopulationRow[] {
    const { leaf, values, bodyState } = event;
    if (leaf.type === 'hold.executed') this.#models.executed(leaf, values);
    if (leaf.type === 'resource.apply') this.#models.applied(values);
    if (!MODEL_PROBES.has(leaf.type)) return [];
    const { isFinding } = this.#models.probe(leaf, values);
    if (!this.#isInPeriod(leaf)) return [];
    const finding = leaf.status === 'unknown' ? undefined : isFinding;
    const row = this.#rowOf('model-probes', event);
    const probe: PopulationRow = { population: 'model-probes', row: { ...row, finding } };
    if (!isFinding) return [probe];
    const common = Object.fromEntries(COMMON_COLUMNS.map((column) => [column, row[column]]));
    const { why, ...cells } = findingCells(leaf, values, bodyState === 'disclosed');
    const change = { ...common, ...cells };
    return [
      probe,
      { population: 'changes', row: change },
      { population: 'changes-unapproved', row: { ...change, why } },
    ];
  }

  #broken(event: PopulationEvent): readonly PopulationRow[] {
    const { leaf, values } = event;
    const own = BROKEN.has(leaf.type) ? this.#rowOf('breakglass', event) : {};
    const row = this.#breakGlass.push(leaf, values, own, this.#isInPeriod(leaf));
    return row === undefined ? [] : [{ population: 'breakglass', row }];
  }

  /** After its own row, so that a statement is open, and a request still knows its votes. */
  #changed({ leaf, values, bodyState }: PopulationEvent): readonly PopulationRow[] | undefined {
    const event: ChangeEvent = { leaf, values, isDisclosed: bodyState === 'disclosed' };
    switch (leaf.type) {
      case 'statement.intent':
      case 'http.intent': {
        const row = this.#openStatements.get(leaf.n) ?? this.#openRequests.get(leaf.n);
        if (row !== undefined) this.#changes.begin(event, row, this.#sessionOf(leaf));
        return undefined;
      }
      case 'hold.asked':
        this.#changes.asked(event);
        return undefined;
      case 'hold.taken': {
        const use = this.#changes.taken(event, this.#approvals.askedFor(leaf));
        this.#models.taken(leaf, values, use);
        return undefined;
      }
      case 'statement.outcome':
      case 'http.outcome': {
        const change = this.#changes.outcome(event);
        if (change === undefined) return undefined;
        const { row, why } = change;
        const changes: PopulationRow = { population: 'changes', row };
        return why === undefined
          ? [changes]
          : [changes, { population: 'changes-unapproved', row: { ...row, why } }];
      }
      default:
        return undefined;
    }
  }

  #sessionOf({ session }: Leaf): Row {
    const values = session === undefined ? undefined : this.#sessions.get(session);
    if (values === undefined) return {};
    return { principal: valueOf(values, 'principal'), database: valueOf(values, 'database') };
  }

  #own(event: PopulationEvent): PopulationRow | undefined {
    const { leaf } = event;
    const population = POPULATION_OF.get(leaf.type);
    if (population === undefined) return undefined;
    if (population === 'approvals') {
      const own = this.#rowOf(population, event);
      const row = this.#approvals.push(leaf, event.values, own, this.#isInPeriod(leaf));
      return row === undefined ? undefined : { population, row };
    }
    if (!this.#isInPeriod(leaf) || population === 'rerank-requests') return undefined;
    const row = this.#rowOf(population, event);
    if (population === 'reveals') return { population, row: this.#reveals.row(leaf, event.values, row) };
    if (population === 'sessions' && leaf.session !== undefined) {
      this.#openSessions.set(leaf.session, row);
      return undefined;
    }
    if (population === 'statements') {
      this.#openStatements.set(leaf.n, row);
      return undefined;
    }
    if (population === 'http-requests') {
      this.#openRequests.set(leaf.n, row);
      return undefined;
    }
    return { population, row };
  }

  /** Before the request is closed, so that its rule and who asked stand beside the refusal. */
  #denied(event: PopulationEvent): PopulationRow | undefined {
    const { leaf, values } = event;
    if (!DENIED.has(leaf.type) && leaf.decision !== 'block') return undefined;
    if (!this.#isInPeriod(leaf)) return undefined;
    const request = this.#approvals.requestOf(leaf);
    const row = {
      ...this.#rowOf('denied', event),
      ...cellsOf(values, BLOCKED_FIELDS),
      rule: request?.['rule'],
      requester: request?.['requester'],
    };
    return { population: 'denied', row };
  }

  #isInPeriod({ t }: Leaf): boolean {
    return t >= this.#period.from && t < this.#period.to;
  }

  /** After the last leaf: the rows that nothing completed. */
  *rest(): Generator<PopulationRow> {
    for (const row of this.#openSessions.values()) yield { population: 'sessions', row };
    for (const row of this.#openStatements.values()) yield { population: 'statements', row };
    for (const row of this.#openRequests.values()) yield { population: 'http-requests', row };
    for (const row of this.#reranked.rest((intent) => this.#changes.letOf(intent))) {
      yield { population: 'rerank-requests', row };
    }
    for (const row of this.#approvals.rest()) yield { population: 'approvals', row };
    for (const row of this.#changes.rest()) yield { population: 'changes', row };
    for (const row of this.#breakGlass.rest()) {
      yield { population: 'breakglass', row };
      yield { population: 'breakglass-unreviewed', row };
    }
    for (const { list, row } of this.#masking.rest()) yield { population: list, row };
    this.#openSessions.clear();
    this.#openStatements.clear();
    this.#openRequests.clear();
  }

  #join(event: PopulationEvent): PopulationRow | undefined {
    const { type, session, ref } = event.leaf;
    if (type === POPULATIONS.sessions.joinedBy && session !== undefined) {
      const open = this.#openSessions.get(session);
      if (open === undefined) return undefined;
      this.#openSessions.delete(session);
      return { population: 'sessions', row: joined('sessions', open, event) };
    }
    if (type === POPULATIONS.statements.joinedBy && ref !== undefined) {
      const open = this.#openStatements.get(ref);
      if (open === undefined) return undefined;
      this.#openStatements.delete(ref);
      return { population: 'statements', row: joined('statements', open, event) };
    }
    if (type === POPULATIONS['http-requests'].joinedBy && ref !== undefined) {
      const open = this.#openRequests.get(ref);
      if (open === undefined) return undefined;
      this.#openRequests.delete(ref);
      return { population: 'http-requests', row: joined('http-requests', open, event) };
    }
    return undefined;
  }

  #peopleOf({ leaf, values }: PopulationEvent): Values {
    return leaf.session === undefined ? values : (this.#sessions.get(leaf.session) ?? {});
  }

  #rowOf(population: PopulationName, event: PopulationEvent): Row {
    const { leaf, values } = event;
    const people = this.#peopleOf(event);
    const administrative = population === 'administrative-changes';
    const fields = ACTORS[population];
    return {
      leaf_index: leaf.n,
      event_time_utc: leaf.t,
      event_type: leaf.type,
      log: leaf.log,
      session_id: leaf.session,
      session_seq: leaf.seq,
      actor_id: leaf.actor,
      actor_name: fields === undefined ? valueOf(people, 'name') : firstOf(people, fields),
      actor_type: leaf.kind,
      idp_issuer: valueOf(people, 'issuer'),
      src_ip: valueOf(people, 'address'),
      target: leaf.target,
      decision: leaf.decision,
      policy_id: leaf.policy,
      status: leaf.status,
      body_state: event.bodyState,
      leaf_hash: toHex(event.hash),
      ...shown(values, POPULATIONS[population].own),
      ...(administrative ? administrativeCells(event) : {}),
    };
  }
}

function joined(population: PopulationName, row: Row, event: PopulationEvent): Row {
  const { joined: columns, joinedPrefix = '' } = POPULATIONS[population];
  return {
    ...row,
    status: event.leaf.status,
    [`${joinedPrefix}_leaf_index`]: event.leaf.n,
    [`${joinedPrefix}_time_utc`]: event.leaf.t,
    ...shown(event.values, columns),
  };
}

function administrativeCells({ values, bodyState }: PopulationEvent): Row {
  return {
    object_kind: firstOf(values, OBJECT_KIND_FIELDS),
    object: firstOf(values, OBJECT_FIELDS),
    details: bodyState === 'disclosed' ? values : undefined,
  };
}

function shown(values: Values, columns: Readonly<Record<string, string>>): Row {
  const row: Record<string, Json | undefined> = {};
  for (const [column, field] of Object.entries(columns)) {
    if (field !== '') row[column] = valueOf(values, field);
  }
  return row;
}

function cellsOf(values: Values, fields: readonly string[]): Row {
  return Object.fromEntries(fields.map((field) => [field, valueOf(values, field)]));
}

function firstOf(values: Values, fields: readonly string[]): Json | undefined {
  const field = fields.find((name) => Object.hasOwn(values, name));
  return field === undefined ? undefined : values[field];
}

// Field names are untrusted, and an object has members that nobody gave it.
function valueOf(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
