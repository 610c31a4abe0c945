/**
 * What policy would say about an HTTP request, without a client and without a target.
 *
 * Spec: spec/policy.md, "HTTP". It is the reading and the policy of a real request that decide.
 */

import type { HttpFields } from '../core/http-message.ts';
import { openersOf } from '../policy/break-glass.ts';
import { SessionPolicy } from '../policy/decide.ts';
import { withinHours } from '../policy/patterns.ts';
import { parseJson } from '../protocols/http/json/parse-json.ts';
import type { JsonBody } from '../protocols/http/operations/json-values.ts';
import { requestText } from '../protocols/http/operations/operation-facts.ts';
import { type HttpReading, readRequest } from '../protocols/http/operations/read-request.ts';
import type { ResourceView } from '../resources/view.ts';
import { type Asker, denial, type Rehearsed } from './rehearsed-session.ts';

export interface RequestToRehearse {
  readonly method: string;
  readonly path: string;
  /** Without its `?`. */
  readonly query: string;
  readonly fields: HttpFields;
  /** Undefined: the request has none. */
  readonly content: Uint8Array | undefined;
  /** `auto` where nobody says. */
  readonly dialect: string;
}

export type RehearsedRequest = Rehearsed & { readonly reading: HttpReading };

/** One request, decided on by itself. */
export function rehearseRequest(
  view: ResourceView,
  asker: Asker,
  request: RequestToRehearse,
  nowUs: number,
): RehearsedRequest {
  const body = request.content === undefined ? undefined : bodyOf(request.content);
  const reading = readRequest(request.dialect, request, body);
  const read = requestText(request, reading, body);
  const { principal, connection, address, client, mfaUs } = asker;
  const ruling = view.ruling(principal, connection, 'http');
  const isIn = view.grant(principal, connection) !== undefined;
  if (!isIn || ruling === undefined) {
    return { ...REFUSED, causes: [denial(asker)], read: undefined, reading };
  }
  const caller = { kind: principal.kind, address, client, mfaUs };
  const policy = new SessionPolicy(ruling.rules, ruling.allowance, caller, ruling.breakGlass);
  const decision = policy.decide(read, nowUs);
  const openers = decision.holds.map((rule) =>
    openersOf(decision, rule)
      .filter(({ hours }) => hours === undefined || withinHours(hours, nowUs))
      .filter(() => principal.kind === 'user')
      .map(({ name }) => name),
  );
  const { kind: verdict, causes, estimated: unestimated } = decision;
  return { verdict, causes, read, uncounted: [], unestimated, openers, reading };
}

const REFUSED = { verdict: 'block', uncounted: [], unestimated: [], openers: [] } as const;

/** A content that is no JSON is kept by its bytes: lines of a batch are read from them. */
function bodyOf(bytes: Uint8Array): JsonBody {
  const result = parseJson(bytes);
  return { bytes, root: result.kind === 'json' ? result.root : undefined };
}
