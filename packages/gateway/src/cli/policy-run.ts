/** Decides the cases of `policy test`, with what the gateway itself decides with. */

import type { ActorKind } from '../core/principal.ts';
import type { Person, ServiceAccount } from '../resources/documents.ts';
import { ResourceView } from '../resources/view.ts';
import { rehearseRequest } from '../rehearsal/rehearsed-request.ts';
import { kindOf, type Rehearsed, RehearsedSession } from '../rehearsal/rehearsed-session.ts';
import type { SqlReader } from '../session/sql-reader.ts';
import type { CaseAsker, CaseSet, PolicyCase } from './policy-cases.ts';

export interface CaseResult {
  readonly policyCase: PolicyCase;
  readonly decided: Rehearsed;
  readonly passed: boolean;
}

/** No resource can have this name. */
const ANYBODY = '(anybody)';

const encoder = new TextEncoder();

/** Each case in its own session. */
export async function runCases(
  { loaded, cases }: CaseSet,
  reader: SqlReader,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const policyCase of cases) {
    const decided = await decide(loaded.view, policyCase, reader);
    results.push({ policyCase, decided, passed: isExpected(policyCase, decided) });
  }
  return results;
}

async function decide(view: ResourceView, policyCase: PolicyCase, reader: SqlReader): Promise<Rehearsed> {
  const {
    as,
    on: connection,
    address,
    client,
    mfaUs,
    atUs,
    what,
    prepared,
    rows,
    returned,
    estimatedRows,
  } = policyCase;
  const { known, name, kind } = withAsker(view, as);
  const asker = { principal: { name, kind }, connection, address, client, mfaUs };
  if ('request' in what) return rehearseRequest(known, asker, what.request, atUs);
  const session = new RehearsedSession(known, reader, asker);
  if (prepared !== undefined) await session.ran(encoder.encode(prepared), atUs);
  return session.decide(encoder.encode(what.sql), atUs, () => rows, {
    returned: () => returned,
    estimated: estimatedRows,
  });
}

/** The resources with an account for whoever has none. */
function withAsker(
  view: ResourceView,
  as: CaseAsker,
): {
  readonly known: ResourceView;
  readonly name: string;
  readonly kind: ActorKind;
} {
  if (typeof as === 'string') {
    const account = view.account(as);
    return { known: view, name: as, kind: account === undefined ? 'user' : kindOf(account) };
  }
  const { kind = 'user', groups = [] } = as;
  const base = { name: ANYBODY, displayName: ANYBODY, groups, disabled: false };
  const document: Person | ServiceAccount =
    kind === 'user' || kind === 'agent'
      ? { ...base, kind: 'Person' }
      : { ...base, kind: 'ServiceAccount', type: kind };
  const account = { document, version: 0, digest: '', changedUs: 0, changedBy: '' };
  return { known: new ResourceView([...view.all, account]), name: ANYBODY, kind };
}

function isExpected(
  { expect, rule, breakGlass }: PolicyCase,
  { verdict, causes, openers }: Rehearsed,
): boolean {
  if (verdict !== expect) return false;
  if (breakGlass === false && openers.every((rules) => rules.length > 0)) return false;
  if (typeof breakGlass === 'string' && !openers.every((rules) => rules.includes(breakGlass))) return false;
  return rule === undefined || causes.some((cause) => cause.rule === rule);
}
