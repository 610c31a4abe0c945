/**
 * Everything that masks the results of one session, put together.
 *
 * Spec: spec/masking.md, "By origin". Pipeline: the server is asked about a text before it runs (armed/), which is
 * stopped where it would tell of a masked value without showing it (mask-judge.ts); while it runs the server sends
 * its tree again (arming.ts), and by that tree each value is masked (masked-stream.ts).
 */

import type { ColumnLabel, StatementLabels } from '../../../core/column-labels.ts';
import type { ReadText, StatementFacts } from '../../../core/effects.ts';
import type { MaskingKeyRing } from '../../../masking/operators/key-ring.ts';
import type { Wire } from '../../../masking/operators/operator.ts';
import { findLabel, type MaskedLookup } from '../../../masking/plan/masked-lookup.ts';
import { SessionMasks } from '../../../masking/plan/session-masks.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND } from '../../../protocols/postgres/messages.ts';
import type { ResponseQueue } from '../../../protocols/postgres/response-queue.ts';
import type { StartupParameter } from '../../../protocols/postgres/messages.ts';
import type { Catalog } from '../../../sql/server-tree/catalog.ts';
import { makesValues } from '../../../sql/server-tree/function-effects.ts';
import type { MaskedLabels } from '../../../sql/mask-catalog/closure.ts';
import { functionKnowledge } from '../../../sql/purity/built-in-functions.ts';
import type { ServerAnswer } from '../armed/ask-server.ts';
import type { AskedIn } from '../armed/inside.ts';
import type { ReadyTarget } from '../../../upstream/postgres-login.ts';
import type { Admission, SessionPorts } from '../../session-ports.ts';
import type { ExchangePorts } from '../exchange.ts';
import type { Judgement, MaskWords } from '../inspection.ts';
import type { Request } from '../request.ts';
import type { TypeDescription } from '../../../masking/operators/operator.ts';
import type { Cause } from '../../../policy/decide.ts';
import type { BoundValue, PreparedStatement } from '../../../protocols/postgres/operation.ts';
import type { Step } from '../armed/plan.ts';
import { askedStatements } from './asked-statements.ts';
import { maskInValues, writes as writesRows } from './written-back.ts';
import { Arming, levelAtStart } from './arming.ts';
import { AskMasks } from './ask-masks.ts';
import { KnownTrees } from './known-trees.ts';
import { CopiedIn } from './copied-in.ts';
import { exposesLiterals, writesAny } from './literal-exposure.ts';
import { type AskedStatement, causeOf, judgeMasks, type Judged, type MaskedNow } from './mask-judge.ts';
import { MaskedMessages, refusalWords } from './masked-messages.ts';
import { MaskedResults } from './masked-results.ts';
import { MaskedStream } from './masked-stream.ts';
import type { Learned } from './result-origins.ts';

export interface SessionMaskingOptions extends ExchangePorts {
  /** What masks at this moment; empty where nothing does any more. */
  readonly masksNow: () => SessionMasks;
  readonly keys: MaskingKeyRing;
  /** As the target says it: `18.1 (Debian …)`. */
  readonly serverVersion: string;
  /** With which the client started. */
  readonly given: readonly StartupParameter[];
  /** That no client knows. */
  readonly name: string;
  readonly nowUs: () => number;
  readonly pass: (bytes: Uint8Array) => readonly Uint8Array[];
  readonly responses: ResponseQueue<Request>;
}

const NO_MASKS = new SessionMasks([]);

interface JudgedText extends Judged {
  readonly exposes: boolean;
  readonly hidesKeys: boolean;
}

/** Undefined where no Mask reached the session when it began. */
export function sessionMasking(
  {
    admission,
    ready,
    client,
    ports,
  }: {
    readonly admission: Admission;
    readonly ready: Pick<ReadyTarget, 'serverVersion'>;
    readonly client: { readonly parameters: readonly StartupParameter[] };
    readonly ports: Pick<SessionPorts, 'clock' | 'randomBytes'>;
  },
  rest: Pick<SessionMaskingOptions, 'pass' | keyof ExchangePorts>,
): SessionMasking | undefined {
  const { maskingKeys: keys } = admission;
  if (keys === undefined) return undefined;
  return new SessionMasking({
    ...rest,
    masksNow: () => admission.policyNow().masks ?? NO_MASKS,
    keys,
    serverVersion: ready.serverVersion,
    given: client.parameters,
    name: `countersign ${Buffer.from(ports.randomBytes(16)).toString('hex')}`,
    nowUs: () => ports.clock.monotonicUs(),
  });
}

/** Names of what the server reports, as it spells them. */
const REPORTED: ReadonlySet<string> = new Set(['client_encoding', 'DateStyle', 'IntervalStyle']);

const NO_LABELS: ReadonlySet<ColumnLabel> = new Set();
const NO_TABLES: ReadonlySet<string> = new Set();

/** Owned by one session. */
export class SessionMasking {
  readonly arming: Arming;
  readonly catalog: AskMasks;
  readonly stream: MaskedStream;
  readonly #options: SessionMaskingOptions;
  readonly #trees: KnownTrees;
  readonly #asked = new WeakMap<ReadText, readonly AskedStatement[]>();
  readonly #judged = new WeakMap<
    ReadText,
    { readonly now: MaskedNow; readonly clientEncoding: string; readonly judged: JudgedText }
  >();
  readonly #reported = new Map<string, string>();
  /** Functions that only a superuser makes, and that make values of their arguments: of vectors, of trigrams. */
  readonly #declared = new Set<number>();
  #now: MaskedNow | undefined;
  /** What {@link #now} was made of. */
  #nowOf: MaskedLabels | undefined;

  constructor(options: SessionMaskingOptions) {
    this.#options = options;
    const functions = functionKnowledge(versionNumber(options.serverVersion), this.#declared);
    this.#trees = new KnownTrees(functions);
    this.catalog = new AskMasks(options, options.name, options.nowUs, {
      functions,
      outputsOf: (roots) => this.#trees.labelsOf(roots).outputs,
      declare: (oids) => oids.forEach((oid) => this.#declared.add(oid)),
    });
    const learned: Learned = {
      trees: this.#trees,
      asked: (read) => this.#asked.get(read),
      isClean: (labels) => this.#isClean(labels),
      unheard: () => {
        this.#trees.forgetAnalyses();
        this.arming.unheard();
      },
    };
    const messages = new MaskedMessages(learned, options.given, () => options.masksNow().rules);
    const started = levelAtStart(options.given);
    if (started !== undefined) messages.showFrom(started);
    this.arming = new Arming(options, options.name, (level) => messages.showFrom(level));
    const results = new MaskedResults(
      {
        now: () => this.#maskedNow(),
        keys: options.keys,
        settings: () => this.#settings(),
        describe: (oid, typmod) => this.catalog.describe(oid, typmod),
        typesKnown: () => this.catalog.typesKnown,
      },
      learned,
    );
    this.stream = new MaskedStream({
      responses: options.responses,
      trees: this.#trees,
      learned,
      results,
      messages,
      pass: options.pass,
      copiedIn: (statement, formatCode) => this.#copiedIn(statement, formatCode),
      treeless: () => this.arming.doubt(),
    });
  }

  /** Whether columns are masked by where they come from, so that texts have to be judged. */
  get judges(): boolean {
    return this.#options.masksNow().columns.length > 0;
  }

  /** Patterns that the catalog is asked about. */
  get names(): readonly string[] {
    return this.#options.masksNow().names;
  }

  /** The server states a setting. */
  parameterStatus(name: string, value: string): void {
    if (REPORTED.has(name)) this.#reported.set(name, value);
  }

  /** A frame of the server's greeting. */
  greeted(frame: Uint8Array): void {
    if (frame[0] !== BACKEND.ParameterStatus) return;
    const message = decodeBackend(BACKEND.ParameterStatus, frame.subarray(HEADER_LENGTH));
    if (message.kind !== 'ParameterStatus') return;
    this.parameterStatus(message.name, Buffer.from(message.valueBytes).toString());
  }

  /** @param catalog of what is in the trees */
  labelsOf(roots: Parameters<KnownTrees['labelsOf']>[0], catalog: Catalog): StatementLabels {
    for (const called of catalog.functions.values()) {
      if (makesValues(called)) this.#declared.add(called.oid);
    }
    return this.#trees.labelsOf(roots);
  }

  /** What the server said of a text, one for each of its statements. */
  heard(
    read: Extract<ReadText, { readonly kind: 'read' }>,
    textBytes: Uint8Array,
    steps: readonly Step[] = [],
    answers: readonly (ServerAnswer | undefined)[] = [],
  ): void {
    this.#asked.set(read, askedStatements(read, textBytes, steps, answers, this.#options.keys));
  }

  /** Stops a statement that would write masked values back. */
  judgedValues(
    judgement: Judgement,
    { parameterTypeOids }: Pick<PreparedStatement, 'parameterTypeOids'>,
    values: readonly BoundValue[] | undefined,
  ): Judgement {
    const { read, decision } = judgement;
    const [mask] = this.#options.masksNow().columns;
    if (mask === undefined || decision.kind === 'block' || read.kind !== 'read') return judgement;
    const statement = read.statements.find(writesRows);
    if (statement === undefined || values === undefined) return judgement;
    const typeOf = (index: number): TypeDescription | undefined => {
      const oid = parameterTypeOids[index] ?? 0;
      return oid === 0 ? undefined : this.catalog.describe(oid, -1);
    };
    const what = maskInValues(this.#options.keys, values, typeOf, this.#settings());
    return what === undefined ? judgement : blockedBy(judgement, [causeOf(mask, what, statement)]);
  }

  #copiedIn(statement: StatementFacts | undefined, formatCode: number): CopiedIn | undefined {
    const { keys, masksNow } = this.#options;
    const [mask] = masksNow().columns;
    if (mask === undefined) return undefined;
    return new CopiedIn({ keys, mask, settings: this.#settings(), statement, formatCode });
  }

  /** What the server says of a text that it does not take, without the literals that it quotes. */
  withoutLiterals<R extends { readonly message: string; readonly frame: Uint8Array }>(said: R): R {
    return refusalWords(said);
  }

  /** A reading that stands for another: what was heard of that one holds for it. */
  sameAs(read: ReadText, other: ReadText): void {
    const asked = this.#asked.get(other);
    if (asked !== undefined) this.#asked.set(read, asked);
  }

  /** What the catalog says of the Masks' columns, where that is not known, or old. */
  async refresh(where: AskedIn, epoch: number): Promise<void> {
    await this.catalog.refresh(where, this.#options.masksNow().patterns, epoch);
  }

  /** What trees lead to and the catalog has not shown yet: newer relations, types of users. */
  async learn(where: AskedIn, answers: readonly (ServerAnswer | undefined)[], epoch: number): Promise<void> {
    const labels = answers.flatMap((answer) => answer?.labels ?? []);
    const { masked } = this.catalog;
    if (masked !== undefined && labels.some((one) => isNewer(one, masked))) {
      await this.catalog.ask(where, this.#options.masksNow().patterns, epoch);
    }
    const types = labels.flatMap(({ outputs }) => (outputs ?? []).map(({ typeOid }) => typeOid));
    await this.catalog.learnTypes(where, types);
  }

  /** Stops what would tell of a masked value. */
  judged(judgement: Judgement): Judgement {
    const { read, decision } = judgement;
    const applied = this.#applied();
    if (decision.kind === 'block' || applied.length === 0) return judgement;
    const { causes, recorded, exposes, hidesKeys } = this.#judge(read);
    const masks = { applied, recorded, exposes, hidesKeys };
    if (causes.length === 0) return { ...judgement, masks };
    return { ...blockedBy(judgement, causes), masks };
  }

  #judge(read: ReadText): JudgedText {
    const now = this.#maskedNow();
    const { clientEncoding } = this.#settings();
    const before = this.#judged.get(read);
    if (before?.now === now && before.clientEncoding === clientEncoding) return before.judged;
    const asked = this.#asked.get(read);
    const found = judgeMasks(read, asked, now, clientEncoding);
    // Masks that only detect look at literals as they look at values. What a Mask stops may be about anything.
    // What a Detector finds no literal is looked at for: all of them are hidden.
    const exposes =
      now.masks.rules !== undefined ||
      (this.judges
        ? found.causes.length > 0 || exposesLiterals(read, asked, now.masked)
        : read.kind !== 'read');
    const judged = { ...found, exposes, hidesKeys: exposes || writesAny(read, now.tables) };
    this.#judged.set(read, { now, clientEncoding, judged });
    return judged;
  }

  #applied(): MaskWords['applied'] {
    const { columns, detecting } = this.#maskedNow().masks;
    return [...columns, ...detecting];
  }

  /** The same object as long as nothing of it has changed. */
  #maskedNow(): MaskedNow {
    const masks = this.#options.masksNow();
    const { masked, constrained, tables, comparedTables, schemas } = this.catalog;
    const before = this.#now;
    if (before !== undefined && before.masks === masks && this.#nowOf === masked) return before;
    this.#nowOf = masked;
    const now = {
      masks,
      masked: masked === undefined ? undefined : lookupOf(masked),
      constrained: masked === undefined ? NO_LABELS : constrained,
      tables: masked === undefined ? NO_TABLES : tables,
      comparedTables: masked === undefined ? NO_TABLES : comparedTables,
      schemas: masked === undefined ? NO_TABLES : schemas,
    };
    this.#now = now;
    return now;
  }

  /** Nothing that it reads, writes or calls is masked, or out of sight. */
  #isClean({ outputs, uses, writes, relations }: StatementLabels): boolean {
    const { masked } = this.#maskedNow();
    if (masked === undefined) return !this.judges;
    const all = [...(outputs ?? []), ...uses, ...writes];
    if (all.some(({ opaque }) => opaque !== undefined)) return false;
    if ([...relations].some((oid) => !masked.knows(oid, 0))) return false;
    const labels = [...all.flatMap((one) => [...one.labels]), ...writes.map(({ target }) => target)];
    return labels.every((label) => findLabel(masked, label).kind === 'clear');
  }

  #settings(): Omit<Wire, 'format'> {
    return {
      clientEncoding: this.#reported.get('client_encoding') ?? '',
      dateStyle: this.#reported.get('DateStyle') ?? '',
      intervalStyle: this.#reported.get('IntervalStyle') ?? '',
    };
  }
}

/** Whether it is about relations or columns that were made since the catalog was read. */
function isNewer({ outputs, uses, writes, relations }: StatementLabels, masked: MaskedLabels): boolean {
  if ([...relations].some((oid) => !masked.knows(oid))) return true;
  const all = [...(outputs ?? []), ...uses, ...writes];
  return all.some(({ labels }) =>
    [...labels].some((label) => {
      const [relation = 0, attnum = 0] = label.split('.').map(Number);
      return !masked.knows(relation, attnum);
    }),
  );
}

function blockedBy(judgement: Judgement, causes: readonly Cause[]): Judgement {
  const nothing = { holds: [], counted: [], returned: [], estimated: [] };
  return { ...judgement, decision: { ...judgement.decision, ...nothing, kind: 'block', causes } };
}

function lookupOf(masked: MaskedLabels): MaskedLookup {
  const byRelation = Map.groupBy(masked.columns, ({ label }) => Number(label.slice(0, label.indexOf('.'))));
  return {
    of: (label) => masked.of(label),
    knows: (relation, attnum) => masked.knows(relation, attnum),
    ofRelation: (relation) => byRelation.get(relation) ?? [],
  };
}

/** `18.1 (Debian 18.1-1)` → 180001; 0 where it is no version of PostgreSQL. */
function versionNumber(text: string): number {
  const [, major = '', minor = '0'] = /^(\d+)\.?(\d+)?/.exec(text) ?? [];
  return major === '' ? 0 : Number(major) * 10_000 + Number(minor);
}
