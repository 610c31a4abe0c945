/**
 * What policy says about each text of one session, and whether the text means what we think it does.
 *
 * Spec: spec/policy.md §4 and §6. A text is tokenised by the server under settings of the session. One
 * with a backslash in a plain literal, or with a byte above 127, is decided on only where the settings
 * are known for the moment at which the server will read it: ParameterStatus comes with ReadyForQuery,
 * so nothing that may change them is on its way then.
 */

import type { Effect, ReadText, StatementFacts, TextDoubts } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import type { SessionMasks } from '../../masking/plan/session-masks.ts';
import type { Decision, SessionPolicy } from '../../policy/decide.ts';
import { decodeBackend } from '../../protocols/postgres/decode.ts';
import { HEADER_LENGTH } from '../../protocols/postgres/frames.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import type { PreparedStatement } from '../../protocols/postgres/operation.ts';
import type { SqlReader } from '../sql-reader.ts';
import type { EstimatedText } from './armed/estimates.ts';
import type { LookedAt, ServerTrees } from './armed/server-trees.ts';
import { KnownCursorNames, LostNames, together } from './known-cursors.ts';
import type { Refusal } from './refusal.ts';

/** What decides now. */
export interface PolicyNow {
  /** Digest of the policy bundle. */
  readonly digest: string;
  /** Undefined where no statement of this session has to be read. */
  readonly policy: SessionPolicy | undefined;
  /** What hides values from this session. */
  readonly masks: SessionMasks;
}

export interface InspectionPorts {
  readonly policyNow: () => PolicyNow;
  readonly reader: SqlReader;
  readonly nowUs: () => number;
  /** Whether every request was answered, so that what the server said of its settings holds. */
  readonly settled: () => boolean;
  /** Whether answers may be held back until the client sends a Sync. */
  readonly mayBeUnflushed: () => boolean;
  /** What the server says of texts; absent or undefined: the text alone decides. */
  readonly trees?: () => ServerTrees | undefined;
  /** Rows that the target would guess, where there is none to ask; undefined: nobody knows. */
  readonly estimate?: () => number | undefined;
  /** A text that was waited for is read. */
  readonly resumed: () => void;
}

/** What a permissive Mask let through all the same: which column, and what was done with it. */
export interface RecordedUse {
  readonly mask: string;
  readonly version: number;
  readonly column: string | undefined;
  readonly use: string;
}

/** A Mask at a version, and of one that lets something through, what that is. */
export interface MaskWords {
  readonly applied: readonly { readonly mask: string; readonly version: number }[];
  readonly recorded: readonly RecordedUse[];
  /** Its literals may stand for values of masked columns. */
  readonly exposes: boolean;
  /** It writes a table that has masked columns: keys of its rows may be among them. */
  readonly hidesKeys: boolean;
}

/** A decision, and what it was about. */
export interface Judgement {
  readonly policy: string;
  readonly decision: Decision;
  readonly read: ReadText;
  /** In the place of ours, where it blocks: what the server itself has said. */
  readonly refusal?: Refusal;
  /** What Masks say of it, for the leaf. */
  readonly masks?: MaskWords | undefined;
  /** What policy says, where nothing of it stops the statement but the server, which does not take it. */
  readonly stated?: Decision;
  /** Rows that the target guesses, where a rule asks for that. */
  readonly estimatedRows?: number;
}

/** Settings that say how the server cuts a text into tokens. */
const CLIENT_ENCODING = 'client_encoding';
const STANDARD_STRINGS = 'standard_conforming_strings';

/** What may change a setting, or the statement that a name stands for, where no text shows it. */
const OPAQUE: ReadonlySet<Effect> = new Set<Effect>(['code', 'call', 'function-unknown', 'unknown']);
const CHANGES_SETTINGS: ReadonlySet<Effect> = new Set<Effect>([
  ...OPAQUE,
  'setting',
  'setting-risky',
  'transaction',
  'role',
  'execute',
]);

/** Owned by one session. */
export class Inspection {
  readonly #ports: InspectionPorts;
  readonly #texts = new WeakMap<PreparedStatement, ReadText>();
  readonly #settings = new Map<string, string>();
  /** What PREPARE may have put under a name; a failed one counts too. */
  readonly #prepared = new Map<string, readonly StatementFacts[]>();
  /** When the server was first asked about what is under a name. */
  readonly #askedAt = new Map<string, number>();
  readonly #cursors = new KnownCursorNames();
  /** What the protocol has put a statement under. */
  readonly #parsed = new LostNames();
  /** Something ran that may have put anything under any name. */
  #namesAreUncertain = false;
  /** Something that may change settings is on its way. */
  #settingsMayChange = false;
  /** The text that is being read, or was while its message waited. */
  #awaited: { read: ReadText | undefined } | undefined;

  constructor(ports: InspectionPorts) {
    this.#ports = ports;
  }

  /** The server states a setting: in its greeting, and when it changed. */
  parameterStatus(name: string, value: string): void {
    if (name === CLIENT_ENCODING || name === STANDARD_STRINGS) this.#settings.set(name, value);
  }

  /** A frame of the server's greeting. */
  greeted(frame: Uint8Array): void {
    if (frame[0] !== BACKEND.ParameterStatus) return;
    const message = decodeBackend(BACKEND.ParameterStatus, frame.subarray(HEADER_LENGTH));
    if (message.kind !== 'ParameterStatus') return;
    this.parameterStatus(message.name, Buffer.from(message.valueBytes).toString());
  }

  /** Every request is answered. */
  idle(isOutside = false): void {
    if (isOutside) this.#trees?.idle();
    this.#settingsMayChange = false;
  }

  /** Whether policy reads texts of this session now. */
  get active(): boolean {
    return this.#ports.policyNow().policy !== undefined;
  }

  get #trees(): ServerTrees | undefined {
    return this.#ports.trees?.();
  }

  /** A text that runs now; undefined where nothing decides about it. */
  judge(textBytes: Uint8Array): Judgement | 'wait' | undefined {
    const at = { textBytes, parameterTypeOids: [], place: 'Query' } as const;
    return this.#estimated(this.#judge(at), () => ({ ...at, values: [] }));
  }

  /** A statement that was parsed before, with the values that are bound to it; undefined: nobody has them. */
  judgeBound(
    statement: PreparedStatement,
    values: () => EstimatedText['values'],
  ): Judgement | 'wait' | undefined {
    const { textBytes, parameterTypeOids } = statement;
    const at = (): EstimatedText => ({ textBytes, parameterTypeOids, values: values() });
    const judgement = this.#estimated(this.judgePrepared(statement), at, statement);
    if (judgement === undefined || judgement === 'wait') return judgement;
    return this.#trees?.judgedValues(judgement, statement, values) ?? judgement;
  }

  /** With what the target guesses, where that decides. */
  #estimated(
    judgement: Judgement | 'wait' | undefined,
    at: () => EstimatedText,
    statement?: PreparedStatement,
  ): Judgement | 'wait' | undefined {
    if (judgement === undefined || judgement === 'wait') return judgement;
    const { policy } = this.#ports.policyNow();
    if (policy === undefined || judgement.decision.estimated.length === 0) return judgement;
    const { estimate } = this.#ports;
    const { read } = judgement;
    const rows = estimate === undefined ? this.#trees?.estimated(at(), read, statement) : estimate();
    if (rows === 'wait' || rows === undefined) return rows ?? judgement;
    return { ...this.#decide(policy, judgement.policy, read, { estimate: rows }), estimatedRows: rows };
  }

  #judge(at: LookedAt): Judgement | 'wait' | undefined {
    const { policy, digest } = this.#ports.policyNow();
    if (policy === undefined) return undefined;
    if (this.#trees?.mustArm === true) return 'wait';
    const read = this.#read(at.textBytes);
    return read === 'wait' ? 'wait' : this.#looked(policy, digest, at, read);
  }

  /** With what the server says of it, unless the text alone decides. */
  #looked(policy: SessionPolicy, digest: string, at: LookedAt, read: ReadText): Judgement | 'wait' {
    const judgement = this.#decide(policy, digest, read, { by: 'text' });
    const trees = this.#trees;
    if (trees === undefined || !trees.decides(judgement, policy)) return judgement;
    const looked = trees.look(at, read, policy.allowsByName);
    return looked === 'wait' ? 'wait' : this.#decide(policy, digest, looked);
  }

  /** A text that the server is going to parse for later. What is no SQL the server says itself. */
  judgeParse(
    message: Pick<PreparedStatement, 'textBytes' | 'parameterTypeOids'>,
  ): Judgement | 'wait' | undefined {
    const { textBytes, parameterTypeOids } = message;
    return this.#judge({ textBytes, parameterTypeOids, place: 'extended' });
  }

  /** Whether the target must not even parse it. */
  refusesParse(judgement: Judgement): boolean {
    const isUnread = judgement.read.kind === 'uninspectable' && judgement.decision.kind === 'block';
    return isUnread || this.#trees?.refusesParse(judgement) === true;
  }

  /** What {@link judgeParse} read is the text of this statement. */
  keep(statement: PreparedStatement, read: ReadText): void {
    this.#texts.set(statement, read);
    this.#trees?.kept(statement, read);
  }

  /** A statement that was parsed before and runs now. */
  judgePrepared(statement: PreparedStatement): Judgement | 'wait' | undefined {
    const { policy, digest } = this.#ports.policyNow();
    if (policy === undefined) return undefined;
    if (this.#trees?.mustArm === true) return 'wait';
    const read = this.#texts.get(statement) ?? this.#readLate(statement.textBytes);
    if (read === 'wait') return 'wait';
    this.#texts.set(statement, read);
    if (this.#trees?.isFresh(statement) ?? true) return this.#decide(policy, digest, read);
    const { textBytes, parameterTypeOids } = statement;
    const at = { textBytes, parameterTypeOids, place: 'extended' } as const;
    const judgement = this.#looked(policy, digest, at, read);
    if (judgement === 'wait') return 'wait';
    const trees = this.#trees;
    const either = trees?.either(read, judgement.read) ?? judgement.read;
    if (trees?.isComplete(judgement.read) === true) {
      trees.kept(statement, judgement.read);
      this.#texts.set(statement, either);
    }
    return this.#decide(policy, digest, either);
  }

  /** Before the server may look at a statement again: whether it has to be asked about it first. */
  isStale(statement: PreparedStatement | undefined | 'wait'): boolean {
    if (this.#trees === undefined) return false;
    if (this.#trees.mustArm) return true;
    if (statement === undefined || statement === 'wait') return false;
    return this.judgePrepared(statement) === 'wait';
  }

  /** Something runs of which no text is known. */
  judgeUnknown(reason: string): Judgement | undefined {
    const { policy, digest } = this.#ports.policyNow();
    if (policy === undefined) return undefined;
    return this.#decide(policy, digest, { kind: 'uninspectable', reason });
  }

  /** The same of what cannot be run so that its rows are counted. */
  judgeUncountable(reason: string): Judgement | undefined {
    const judgement = this.judgeUnknown(reason);
    const { counted = [], returned = [] } = judgement?.decision ?? {};
    const [rule] = [...counted, ...returned];
    if (judgement === undefined || rule === undefined) return judgement;
    const { name, version, description } = rule;
    const what = `its rows cannot be counted: ${reason}`;
    const cause = { rule: name, version, verdict: 'block', description, what, from: 0, to: 0 } as const;
    const { decision } = judgement;
    return {
      ...judgement,
      decision: { ...decision, kind: 'block', causes: [cause], counted: [], returned: [] },
    };
  }

  /** A portal of that name is bound: FETCH may read from it. */
  bound(portal: string): void {
    if (portal !== '' && this.#isNamed()) this.#cursors.lose(portal);
  }

  /** A Parse puts a statement under that name, which SQL's EXECUTE may run. */
  parsed(name: string): void {
    if (name !== '' && this.#isNamed()) this.#parsed.lose(name);
  }

  /** Whether names are followed: what was named before is not known. */
  #isNamed(): boolean {
    this.#namesAreUncertain ||= !this.active;
    return !this.#namesAreUncertain;
  }

  /** Something goes to the target; undefined where nobody has read it. */
  forwarded(read: ReadText | undefined): void {
    this.#trees?.forwarded(read, (name) => this.#known(name));
    if (read?.kind !== 'read') {
      this.#settingsMayChange = true;
      this.#namesAreUncertain = true;
      return;
    }
    if (isOpaque(read)) this.#namesAreUncertain = true;
    for (const statement of read.statements) {
      if (statement.effects.some(({ effect }) => CHANGES_SETTINGS.has(effect)))
        this.#settingsMayChange = true;
      if (statement.prepared?.verb === 'prepare') this.#remember(statement);
      this.#cursors.forwarded(statement);
    }
  }

  /** @param by `text`: the server is going to be asked, before which Masks have nothing to go on */
  #decide(
    policy: SessionPolicy,
    digest: string,
    read: ReadText,
    { by = 'all', estimate }: { readonly by?: 'text' | 'all'; readonly estimate?: number | undefined } = {},
  ): Judgement {
    const decision = policy.decide(
      read,
      this.#ports.nowUs(),
      (name) => this.#known(name),
      (name) => (this.#namesAreUncertain ? undefined : this.#cursors.known(name)),
      estimate,
    );
    const judgement = { policy: digest, decision, read };
    return this.#trees?.judged(judgement, by) ?? judgement;
  }

  #read(textBytes: Uint8Array): ReadText | 'wait' {
    const read = this.#readText(textBytes);
    if (read === 'wait' || read.kind !== 'read') return read;
    const doubt = this.#doubtAbout(read.doubts);
    if (doubt === 'wait' || doubt === undefined) return doubt ?? read;
    return { kind: 'uninspectable', ...doubt };
  }

  /** The settings under which the server has parsed it were not looked at. */
  #readLate(textBytes: Uint8Array): ReadText | 'wait' {
    const read = this.#readText(textBytes);
    if (read === 'wait' || read.kind !== 'read' || isPlain(read.doubts)) return read;
    return { kind: 'uninspectable', reason: 'it was prepared before any rule applied; prepare it again' };
  }

  #readText(textBytes: Uint8Array): ReadText | 'wait' {
    const awaited = this.#awaited;
    if (awaited !== undefined) {
      if (awaited.read === undefined) return 'wait';
      this.#awaited = undefined;
      return awaited.read;
    }
    const read = this.#ports.reader.read(textBytes);
    if (!(read instanceof Promise)) return read;
    const waiting: { read: ReadText | undefined } = { read: undefined };
    this.#awaited = waiting;
    void read.then((known) => {
      waiting.read = known;
      this.#ports.resumed();
    });
    return 'wait';
  }

  /** Why the server may read the text otherwise than we do; `wait`: it will be known. */
  #doubtAbout(doubts: TextDoubts): { readonly reason: string } | 'wait' | undefined {
    if (isPlain(doubts)) return undefined;
    const { backslash, unicodeEscape, nonAscii } = doubts;
    if (this.#settingsMayChange && !this.#ports.settled()) {
      if (!this.#ports.mayBeUnflushed()) return 'wait';
      return { reason: 'a statement before it, behind which no Sync was sent, may change how it is read' };
    }
    const encoding = this.#settings.get(CLIENT_ENCODING);
    if (nonAscii && encoding !== 'UTF8') {
      const reason = `it has characters that are not ASCII, and client_encoding is ${encoding ?? 'unknown'} and not UTF8`;
      return { reason };
    }
    if ((backslash || unicodeEscape) && this.#settings.get(STANDARD_STRINGS) !== 'on') {
      return { reason: 'it has a backslash in a literal, and standard_conforming_strings is not on' };
    }
    return undefined;
  }

  #known(name: string): StatementFacts | undefined {
    if (this.#namesAreUncertain || this.#parsed.has(name)) return undefined;
    if (this.#askedAt.get(name) !== this.#trees?.epoch) return undefined;
    const possible = this.#prepared.get(name);
    const [first, ...more] = possible ?? [];
    if (first === undefined) return undefined;
    // Nobody can tell which PREPARE of that name the server took: it may do what any of them does.
    return more.length === 0 ? first : more.reduce(together, first);
  }

  #remember(statement: StatementFacts): void {
    const name = statement.prepared?.name;
    if (name === undefined) return;
    const possible = [...(this.#prepared.get(name) ?? []), statement];
    if (
      this.#prepared.size >= LIMITS.policy.preparedNamesMax ||
      possible.length > LIMITS.policy.sameNameMax
    ) {
      this.#namesAreUncertain = true;
      return;
    }
    this.#prepared.set(name, possible);
    const epoch = this.#trees?.epoch;
    if (epoch !== undefined && !this.#askedAt.has(name)) this.#askedAt.set(name, epoch);
  }
}

/** Whether it may have run any SQL that no text shows. */
function isOpaque(read: ReadText): boolean {
  if (read.kind !== 'read') return true;
  return read.statements.some(({ effects }) => effects.some(({ effect }) => OPAQUE.has(effect)));
}

/** Whether policy let something through of which no text says what it does to names. */
export function mayRunAnything(judgement: Judgement | undefined): boolean {
  return judgement !== undefined && judgement.decision.kind !== 'block' && isOpaque(judgement.read);
}

/** It has the same tokens under every setting. */
export function isPlain({ backslash, unicodeEscape, nonAscii }: TextDoubts): boolean {
  return !backslash && !unicodeEscape && !nonAscii;
}
