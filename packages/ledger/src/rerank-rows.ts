/**
 * Rerank calls with what was answered and what let them: spec/evidence.md, section 3, `rerank-requests`.
 *
 * A row is complete at the `rerank.result`, which stands in one group with the outcome of its request. State grows
 * with the requests that are open. Untrusted: bodies.
 */

import type { Row } from './csv.ts';
import { isObject, type Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';

type Values = Readonly<Record<string, Json>>;

/** Documents, results and leaves that one cell lists; the body has all of them. */
const SHOWN_MAX = 50;

interface Request {
  readonly cells: Row;
  /** Of its outcome, once it is there. */
  outcome: Row;
}

interface Call {
  readonly row: Row;
  readonly intent: number | undefined;
}

/** The owner of the requests and calls that are open. */
export class RerankRows {
  readonly #requests = new Map<number, Request>();
  readonly #calls = new Map<number, Call>();
  /** Requests whose outcome waits for the result of a call. */
  readonly #called = new Set<number>();

  /** Requests and calls that are kept. */
  get openCount(): number {
    return this.#requests.size + this.#calls.size + this.#called.size;
  }

  /** `http.intent`: what was decided about the request, which may be one of reranking. */
  request({ n, decision, policy }: Leaf, values: Values): void {
    const cells = { decision, policy_id: policy, request_sha256: own(values, 'body_sha256') };
    this.#requests.set(n, { cells, outcome: {} });
  }

  /** `rerank.call` of the period; `row` is the one that it has by itself. */
  begin({ n, ref }: Leaf, values: Values, row: Row): void {
    this.#calls.set(n, { intent: ref, row: { ...row, intent_leaf_index: ref, ...cellsOfCall(values) } });
    if (ref !== undefined) this.#called.add(ref);
  }

  /**
   * `http.outcome`.
   *
   * @param approved what let the request: rules and approvals
   */
  outcome({ n, t, ref, status }: Leaf, values: Values, approved: Row): void {
    const request = ref === undefined ? undefined : this.#requests.get(ref);
    if (request === undefined || ref === undefined) return;
    if (!this.#called.has(ref)) {
      this.#requests.delete(ref);
      return;
    }
    request.outcome = {
      ...approved,
      status,
      outcome_leaf_index: n,
      outcome_time_utc: t,
      http_status: own(values, 'http_status'),
      duration_us: own(values, 'duration_us'),
      target_us: own(values, 'target_us'),
      held_us: own(values, 'held_us'),
      answer_sha256: own(values, 'body_sha256'),
    };
  }

  /** `rerank.result`: the row of its call. */
  result({ n, ref }: Leaf, values: Values): Row | undefined {
    const call = ref === undefined ? undefined : this.#calls.get(ref);
    if (call === undefined || ref === undefined) return undefined;
    this.#calls.delete(ref);
    const row = { ...this.#rowOf(call), result_leaf_index: n, ...cellsOfResult(values) };
    if (call.intent !== undefined) {
      this.#requests.delete(call.intent);
      this.#called.delete(call.intent);
    }
    return row;
  }

  /** After the last leaf: calls of which no result is there. */
  *rest(letOf: (intent: number) => Row): Generator<Row> {
    for (const call of this.#calls.values()) {
      yield { ...this.#rowOf(call), ...(call.intent === undefined ? {} : letOf(call.intent)) };
    }
    this.#calls.clear();
    this.#requests.clear();
    this.#called.clear();
  }

  #rowOf({ row, intent }: Call): Row {
    const request = intent === undefined ? undefined : this.#requests.get(intent);
    return { ...row, ...request?.cells, ...request?.outcome };
  }
}

function cellsOfCall(values: Values): Row {
  const lineage = own(values, 'lineage');
  const said: Values = isObject(lineage) ? lineage : {};
  const leaves = listOf(own(said, 'sources')).flatMap((source) =>
    isObject(source) ? (own(source, 'leaf') ?? []) : [],
  );
  return {
    queries_count: listOf(own(values, 'queries')).length || undefined,
    documents: shownList(listOf(own(values, 'documents')).map(documentText), values, 'documents_rest'),
    lineage_of: own(said, 'of'),
    lineage_matched: own(said, 'matched'),
    lineage_leaves: leaves.length === 0 ? undefined : leaves.slice(0, SHOWN_MAX),
  };
}

function cellsOfResult(values: Values): Row {
  const fields = ['model_effective', 'model_known_from', 'results_count', 'sorted', 'usage'];
  const more = ['upstream_request_id', 'unread', 'error'];
  const known = [...fields, ...more].flatMap((field): [string, Json][] => {
    const value = own(values, field);
    return value === undefined ? [] : [[field, value]];
  });
  return {
    ...Object.fromEntries(known),
    order: shownList(listOf(own(values, 'results')).map(resultText), values, 'results_rest'),
  };
}

/** `id=hash`, or the hash alone. */
function documentText(document: Json): string {
  const name = textOf(document, 'id') ?? textOf(document, 'id_hash');
  const hash = textOf(document, 'hash') ?? '';
  return name === undefined ? hash : `${name}=${hash}`;
}

/** `3:0.9871`: the place of the document in the request, or the name that it has, and the bytes of its score. */
function resultText(result: Json): string {
  const place = isObject(result) ? own(result, 'document') : undefined;
  const name =
    typeof place === 'number' ? String(place) : (textOf(result, 'id') ?? textOf(result, 'id_hash'));
  return `${name ?? '?'}:${textOf(result, 'score') ?? ''}`;
}

/** The first of them; how many more there are. */
function shownList(all: readonly string[], values: Values, rest: string): string | undefined {
  const beyond = own(values, rest);
  const count = isObject(beyond) ? own(beyond, 'count') : undefined;
  const more = Math.max(0, all.length - SHOWN_MAX) + (typeof count === 'number' ? count : 0);
  if (all.length === 0 && more === 0) return undefined;
  const shown = all.slice(0, SHOWN_MAX).join(' ');
  return more === 0 ? shown : `${shown} (and ${more} more)`;
}

function textOf(value: Json, field: string): string | undefined {
  const found = isObject(value) ? own(value, field) : undefined;
  return typeof found === 'string' ? found : undefined;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

// Field names are untrusted, and an object has members that nobody gave it.
function own(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
