/**
 * Files of cases for `policy test`: who sends what, and what has to be decided.
 *
 * Untrusted like any file that somebody hands in: everything that is wrong is said with its line, and
 * nothing of a set of files with a problem runs.
 */

import { dirname } from 'node:path';
import { type TSchema, Type } from 'typebox';
import { problemsOf, type SchemaProblem } from '../config/check-schema.ts';
import type { LocatedDocument, Plain } from '../config/yaml.ts';
import { LIMITS } from '../core/limits.ts';
import type { ActorKind } from '../core/principal.ts';
import type { Verdict } from '../policy/decide.ts';
import type { ObservedTable } from '../policy/observed.ts';
import { CONNECTION_RULE } from '../policy/otherwise.ts';
import { parseDurationMs, parseNamePattern, PatternProblem } from '../policy/patterns.ts';
import type { RequestToRehearse } from '../rehearsal/rehearsed-request.ts';
import type { ResourceView } from '../resources/view.ts';
import type { FileProblem } from './file-problems.ts';
import { checkRequest, REQUEST, type RequestDocument, requestOf } from './policy-requests.ts';
import {
  type LoadedResources,
  pathFrom,
  type Place,
  type PlacedDocument,
  readDocuments,
  takeIn,
} from './policy-files.ts';

/** Who asks: an account of the resources, or anybody of a kind in some groups. */
export type CaseAsker =
  | string
  | { readonly kind?: Exclude<ActorKind, 'system' | 'auditor'>; readonly groups?: readonly string[] };

/** What may stand in `defaults` too. */
interface Shared {
  readonly as?: CaseAsker;
  readonly on?: string;
  readonly address?: string;
  readonly client?: string;
  /** How long ago the login had a second factor: `2h`. */
  readonly mfa?: string;
  /** `2026-11-27T12:00:00Z`. */
  readonly at?: string;
}

interface CaseDocument extends Shared {
  readonly name: string;
  readonly sql?: string;
  readonly request?: RequestDocument;
  readonly prepared?: string;
  readonly rows?: Readonly<Record<string, Partial<Record<'inserted' | 'updated' | 'deleted', number>>>>;
  readonly returned?: number;
  readonly estimatedRows?: number;
  readonly expect: Verdict;
  readonly rule?: string;
  readonly breakGlass?: string | false;
}

interface CaseFile {
  readonly resources: readonly Plain[];
  readonly defaults: Shared;
  readonly cases: readonly CaseDocument[];
}

/** A case with everything filled in. */
export interface PolicyCase {
  readonly place: Place;
  readonly name: string;
  readonly as: CaseAsker;
  readonly on: string;
  readonly address: string;
  readonly client: string;
  /** Undefined: the login had no second factor. */
  readonly mfaUs: number | undefined;
  readonly atUs: number;
  /** A text, or a request over HTTP. */
  readonly what: { readonly sql: string } | { readonly request: RequestToRehearse };
  /** What the session has run before. */
  readonly prepared: string | undefined;
  readonly rows: readonly ObservedTable[] | undefined;
  /** Rows that its transaction has got. */
  readonly returned: number | undefined;
  /** Rows that the target guesses before it runs. */
  readonly estimatedRows: number | undefined;
  readonly expect: Verdict;
  readonly rule: string | undefined;
  /** The rule by which who asks may open all of it in an emergency; false where no rule does. */
  readonly breakGlass: string | false | undefined;
}

/** One file, ready to run. */
export interface CaseSet {
  readonly loaded: LoadedResources;
  readonly cases: readonly PolicyCase[];
}

const STRICT = { additionalProperties: false } as const;
const NAME = Type.String({ pattern: '^[a-z0-9][a-z0-9_.@-]{0,62}$' });
const COUNT = Type.Optional(Type.Integer({ minimum: 0 }));

const SHARED: Readonly<Record<string, TSchema>> = {
  as: Type.Optional(
    Type.Union(
      [
        NAME,
        Type.Object(
          {
            kind: Type.Optional(Type.Enum(['user', 'ci', 'service', 'agent'])),
            groups: Type.Optional(Type.Array(NAME, { maxItems: LIMITS.resources.listMax })),
          },
          STRICT,
        ),
      ],
      {
        alternatives:
          'the name of a person or service account, or { kind: user|ci|service|agent, groups: [NAME, …] }',
      },
    ),
  ),
  on: Type.Optional(NAME),
  address: Type.Optional(Type.String({ minLength: 2, maxLength: 64 })),
  client: Type.Optional(Type.String({ maxLength: 256 })),
  mfa: Type.Optional(Type.String({ minLength: 2, maxLength: 8 })),
  at: Type.Optional(Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z$' })),
};

const FILE: TSchema = Type.Object(
  {
    resources: Type.Optional(
      Type.Array(
        Type.Union([Type.String({ minLength: 1, maxLength: 4_096 }), Type.Object({ kind: Type.String() })], {
          alternatives: 'the path of a file, or a resource',
        }),
      ),
    ),
    defaults: Type.Optional(Type.Object(SHARED, STRICT)),
    cases: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 200 }),
          ...SHARED,
          sql: Type.Optional(Type.String({ minLength: 1, maxLength: LIMITS.sql.textBytesMax })),
          request: Type.Optional(REQUEST),
          prepared: Type.Optional(Type.String({ minLength: 1, maxLength: LIMITS.sql.textBytesMax })),
          rows: Type.Optional(
            Type.Record(
              Type.String(),
              Type.Object({ inserted: COUNT, updated: COUNT, deleted: COUNT }, STRICT),
              {
                maxProperties: 1_000,
              },
            ),
          ),
          returned: COUNT,
          estimatedRows: COUNT,
          expect: Type.Enum(['allow', 'hold', 'block']),
          rule: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
          breakGlass: Type.Optional(
            Type.Union([NAME, Type.Literal(false)], { alternatives: 'the name of a rule, or false' }),
          ),
        },
        STRICT,
      ),
      { minItems: 1, maxItems: LIMITS.cli.policyCasesMax },
    ),
  },
  STRICT,
);

/** One file of cases over its own resources and those of the command line; or what is wrong with it. */
export async function loadCases(
  file: string,
  shared: readonly PlacedDocument[],
): Promise<CaseSet | readonly FileProblem[]> {
  const read = await readDocuments(file);
  if (read.problems.length > 0) return read.problems;
  const [first, second] = read.documents;
  if (first === undefined) return [{ file, line: 1, says: 'expected a document with "cases"' }];
  if (second !== undefined) {
    return [{ file, line: second.document.lineOf([]), says: 'expected one document with "cases", not two' }];
  }
  const { document } = first;
  const problems = problemsOf(FILE, document.value);
  // Resources can be looked at although a case is wrong.
  if (problems.some(({ path: [key] }) => key === undefined || key === 'resources')) {
    return located(problems, file, document);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
  const given = document.value as unknown as Partial<CaseFile> & Pick<CaseFile, 'cases'>;
  const value: CaseFile = { resources: [], defaults: {}, ...given };
  const own = await ownResources(file, document, value.resources);
  const loaded = takeIn([...shared, ...own.documents]);
  const found = [...located(problems, file, document), ...own.problems, ...loaded.problems];
  if (found.length > 0) return found;
  const cases = value.cases.map((_, index) => caseOf(value, index, { file, document }, loaded));
  const wrong = cases.flatMap((one) => one.problems);
  return wrong.length > 0 ? wrong : { loaded, cases: cases.map((one) => one.filled) };
}

function located(
  problems: readonly SchemaProblem[],
  file: string,
  document: LocatedDocument,
): readonly FileProblem[] {
  return problems.map(({ path, says }) => ({ file, line: document.lineOf(path), says }));
}

/** Files start at the directory of the file that names them. */
async function ownResources(
  file: string,
  document: LocatedDocument,
  given: CaseFile['resources'],
): Promise<{ readonly documents: readonly PlacedDocument[]; readonly problems: readonly FileProblem[] }> {
  const documents: PlacedDocument[] = [];
  const problems: FileProblem[] = [];
  for (const [index, one] of given.entries()) {
    const at = ['resources', String(index)];
    if (typeof one === 'string') {
      const read = await readDocuments(pathFrom(dirname(file), one));
      problems.push(...read.problems);
      documents.push(...read.documents);
    } else {
      const lineOf = (path: readonly string[]): number => document.lineOf([...at, ...path]);
      documents.push({ file, document: { value: one, lineOf } });
    }
  }
  return { documents, problems };
}

/** Everything about a case that its schema cannot know. */
function caseOf(
  { defaults, cases }: CaseFile,
  index: number,
  { file, document }: PlacedDocument,
  { view }: LoadedResources,
): { readonly filled: PolicyCase; readonly problems: readonly FileProblem[] } {
  const problems: FileProblem[] = [];
  const complain = (key: string, says: string): void => {
    const own = ['cases', String(index)];
    problems.push({ file, line: document.lineOf([...own, key]), says: `${own.join('.')}: ${says}` });
  };
  const one = { ...defaults, ...cases[index] };
  const { name = '', sql, request, expect = 'allow', rule, breakGlass } = one;
  checkAsker(one.as, view, complain);
  checkRequest(one, complain);
  checkConnection(one.on, view, complain);
  const atUs = momentOf(one.at, view, complain);
  checkRule({ expect, rule }, view, complain);
  checkBreakGlass({ expect, breakGlass }, view, complain);
  const filled = {
    place: { file, line: document.lineOf(['cases', String(index)]) },
    name,
    as: one.as ?? {},
    on: one.on ?? '',
    address: one.address ?? '127.0.0.1',
    client: one.client ?? '',
    mfaUs: one.mfa === undefined ? undefined : atUs - ageUsOf(one.mfa, complain),
    atUs,
    what: request === undefined ? { sql: sql ?? '' } : { request: requestOf(request, view, one.on) },
    prepared: one.prepared,
    rows: one.rows === undefined ? undefined : tablesOf(one.rows, complain),
    returned: one.returned,
    estimatedRows: one.estimatedRows,
    expect,
    rule,
    breakGlass,
  };
  return { filled, problems };
}

type Complain = (key: string, says: string) => void;

function checkAsker(as: CaseAsker | undefined, view: ResourceView, complain: Complain): void {
  if (as === undefined) complain('as', 'needs "as": who asks');
  else if (typeof as === 'string') {
    if (view.account(as) === undefined) complain('as', `there is no person or service account "${as}"`);
  } else {
    const unknown = (as.groups ?? []).find(
      (group) => view.find('Group', group) === undefined && !view.isBuiltInGroup(group),
    );
    if (unknown !== undefined) complain('as', `there is no group "${unknown}"`);
  }
}

function checkConnection(on: string | undefined, view: ResourceView, complain: Complain): void {
  if (on === undefined) complain('on', 'needs "on": the connection');
  else if (view.connection(on) === undefined) complain('on', `there is no connection "${on}"`);
}

function ageUsOf(mfa: string, complain: Complain): number {
  try {
    return parseDurationMs(mfa) * 1_000;
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error;
    complain('mfa', error.message);
    return 0;
  }
}

/** Without a rule that looks at the clock, no time matters. */
function momentOf(at: string | undefined, view: ResourceView, complain: Complain): number {
  if (at === undefined) {
    const timed = view.documents('Rule').find(({ when }) => when.hours !== undefined);
    if (timed !== undefined) complain('at', `needs "at", because the rule "${timed.name}" has hours`);
    return 0;
  }
  const ms = Date.parse(at);
  // Date.parse rolls 30 February over.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(at.slice(0, 16))) {
    complain('at', 'expected a date and time that exist');
    return 0;
  }
  return ms * 1_000;
}

function checkRule(
  { expect, rule }: Pick<PolicyCase, 'expect' | 'rule'>,
  view: ResourceView,
  complain: Complain,
): void {
  if (rule === undefined) return;
  if (expect === 'allow') complain('rule', '"rule" says what blocks or holds, and this expects allow');
  if (rule === 'access' || rule.startsWith('access:')) return;
  if (rule.startsWith(CONNECTION_RULE)) {
    const { otherwise } = view.connection(rule.slice(CONNECTION_RULE.length)) ?? {};
    if (otherwise === undefined) complain('rule', `there is no connection with otherwise for "${rule}"`);
    return;
  }
  if (view.find('Rule', rule) === undefined) complain('rule', `there is no rule "${rule}"`);
}

function checkBreakGlass(
  { expect, breakGlass }: Pick<PolicyCase, 'expect' | 'breakGlass'>,
  view: ResourceView,
  complain: Complain,
): void {
  if (breakGlass === undefined) return;
  if (expect !== 'hold') complain('breakGlass', `"breakGlass" opens a hold, and this expects ${expect}`);
  const isThere = view
    .documents('Rule')
    .some(({ name, then: does }) => name === breakGlass && typeof does === 'object' && 'breakGlass' in does);
  if (breakGlass !== false && !isThere)
    complain('breakGlass', `there is no rule "${breakGlass}" with breakGlass`);
}

function tablesOf(rows: NonNullable<CaseDocument['rows']>, complain: Complain): readonly ObservedTable[] {
  return Object.entries(rows).map(([table, { inserted = 0, updated = 0, deleted = 0 }]) => {
    const { schema, name } = tableOf(table, complain);
    return { schema, name, inserted, updated, deleted };
  });
}

function tableOf(
  table: string,
  complain: Complain,
): { readonly schema: string | undefined; readonly name: string } {
  try {
    const { schema, name, columns } = parseNamePattern(table);
    if (columns === undefined && !table.includes('*')) return { schema, name };
    complain('rows', `expected one table as schema.table, not "${table}"`);
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error;
    complain('rows', error.message);
  }
  return { schema: undefined, name: table };
}
