/**
 * Asks people, waits for them, and uses what they granted.
 *
 * Spec: spec/policy.md, "Holds". A client waits while nothing of its session is open at the target, and in its
 * own transaction where the rule says so; else it gets an error at once, and the identical statement passes
 * once when it was approved.
 */

import { isDeepStrictEqual } from 'node:util';
import type { HoldBinding } from '../../approvals/binding.ts';
import type { Hold, HoldsPort, Requester, Settlement, Taken } from '../../approvals/holds-port.ts';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { HoldId, SessionId } from '../../core/ids.ts';
import type { StatementFacts } from '../../core/effects.ts';
import { findIn } from '../../literals/find-in.ts';
import { HIDDEN_VALUE } from '../../literals/hides-value.ts';
import { NO_HINTS } from '../../masking/detect/scan-state.ts';
import { openersOf } from '../../policy/break-glass.ts';
import type { Cause } from '../../policy/decide.ts';
import type { ObservedTable } from '../../policy/observed.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import { encodeNoticeResponse } from '../../protocols/postgres/encode.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import { demandOf } from '../hold-demand.ts';
import type { Ground } from './ground.ts';
import type { Judgement, MaskWords } from './inspection.ts';
import { mayDo, type OpenAtTarget } from './open-at-target.ts';
import type { RunningOperation } from './running-operation.ts';
import { readState, type SessionState, stateQuestion } from './session-state.ts';
import type { BoundPortal } from '../../protocols/postgres/operation.ts';
import type { Spooled } from './spooled-marker.ts';

/** What people are asked about. */
export interface AskedPiece {
  readonly judgement: Judgement;
  readonly operation: RunningOperation;
  /** `Query` or `Execute`. */
  readonly message: string;
  readonly textBytes: Uint8Array;
  readonly portal: BoundPortal | undefined;
  /** The Bind in the spool, where a mark stands for the values of the portal. */
  readonly spooled: Spooled | undefined;
  /** Its client sends data with it, which it has to send again. */
  readonly copyIn: boolean;
}

/** One rule that holds, and why. */
export interface Held {
  readonly rule: CompiledRule;
  readonly cause: Cause | undefined;
  /** Rows that were counted. */
  readonly rows: number | undefined;
  /** Tables whose rows they are. */
  readonly tables?: readonly ObservedTable[] | undefined;
  /** Rows that the target guesses, of what is asked about before it runs. */
  readonly estimate?: number | undefined;
  /** Keys of some of them. */
  readonly keys?: readonly string[] | undefined;
}

export interface Grant extends Held {
  readonly hold: Hold;
  /** Whether it is for rows of these tables too: one that was opened in an emergency is for what its rule covers. */
  readonly covers: (tables: readonly ObservedTable[]) => boolean;
}

/** What is asked for. */
type Demanded = Omit<Grant, 'covers'>;

export type Asked =
  | { readonly kind: 'granted'; readonly grants: readonly Grant[] }
  | { readonly kind: 'refused'; readonly error: CountersignError };

export type Used =
  | {
      readonly kind: 'taken';
      readonly done: (outcome: Outcome, operation: RunningOperation) => Promise<void>;
    }
  | { readonly kind: 'refused'; readonly error: CountersignError };

export interface AskingPorts {
  readonly holds: HoldsPort;
  /** Where people look at a hold. */
  readonly holdLink: (id: HoldId) => string;
  readonly requester: Requester;
  readonly session: SessionId;
  readonly connection: string;
  readonly database: string;
  readonly address: string;
  /** For the client, as the gateway's own word. */
  readonly say: (frame: Uint8Array) => void;
  /** The client is read while it waits, so that its leaving is heard. */
  readonly waiting: (waits: boolean) => void;
}

/** What a client that waits inside of its transaction has to know. */
const STAYS_OPEN = `Its transaction stays open with its locks for ${LIMITS.policy.waitInTransactionMs / 60_000} minutes at most; then it fails.`;

/** By which rule each was opened in an emergency; undefined where others have agreed. */
type Opened = Map<HoldId, string | undefined>;

type Interrupted = { readonly state: 'interrupted'; readonly by: 'cancel' | 'leave' | 'limit' };

/** Owned by the conductor of one session. */
export class Asking {
  readonly #ports: AskingPorts;
  #interrupt: ((how: Interrupted) => void) | undefined;
  /** What has ended the waiting, also where that had not begun yet. */
  #interrupted: Interrupted | undefined;

  constructor(ports: AskingPorts) {
    this.#ports = ports;
  }

  /** The client gives the statement up: what it asked for is withdrawn. */
  cancel(): void {
    if (this.#interrupted === undefined) this.#end('cancel');
  }

  /** The client is gone: what it asked for stays, and it may come back. */
  leave(): void {
    this.#end('leave');
  }

  #end(by: Interrupted['by']): void {
    this.#interrupted = { state: 'interrupted', by };
    this.#interrupt?.(this.#interrupted);
  }

  /**
   * Asks for each rule.
   *
   * @param open what of the session is open at the target
   */
  async all(piece: AskedPiece, ground: Ground, held: readonly Held[], open: OpenAtTarget): Promise<Asked> {
    // It was for what ran then.
    if (this.#interrupted?.by === 'cancel') this.#interrupted = undefined;
    const may = await mayDo(open, held, ground);
    const state = await stateOf(piece, ground);
    const grants: Demanded[] = [];
    for (const one of held) {
      const hold = await this.#ports.holds.ask(this.#request(piece, one, state, may.wait));
      grants.push({ ...one, hold });
    }
    const missing = grants.filter(({ hold }) => hold.state !== 'granted');
    const [first] = missing;
    const [known] = grants;
    if (first === undefined && known !== undefined && !may.use) {
      for (const { hold } of grants) hold.release();
      return { kind: 'refused', error: staleError(known) };
    }
    const opened: Opened = new Map(grants.map(({ hold }) => [hold.id, hold.openedBy]));
    if (first === undefined) return usable(grants, opened, piece);
    if (!may.wait || piece.copyIn) {
      for (const { hold } of grants) hold.release();
      return { kind: 'refused', error: heldError(first) };
    }
    const error = await this.#waitForAll(missing, open === 'transaction', opened);
    if (error !== undefined) {
      for (const { hold } of grants) hold.release();
      return { kind: 'refused', error };
    }
    // Other sessions went on meanwhile: what was approved is what it meant then.
    if (!isDeepStrictEqual(await stateOf(piece, ground), state)) {
      for (const { hold } of grants) hold.release();
      const why = 'what the statement means was changed while it waited';
      return { kind: 'refused', error: new CountersignError('HOLD_NOT_USABLE', { id: first.hold.id, why }) };
    }
    return usable(grants, opened, piece);
  }

  /** Asks for what has run already and was not given out; the error says for what it has to be sent again. */
  async refusal(
    piece: AskedPiece,
    ground: Ground,
    held: readonly Held[],
  ): Promise<CountersignError | undefined> {
    const asked = await this.all(piece, ground, held, 'all');
    if (asked.kind === 'refused') return asked.error;
    for (const { hold } of asked.grants) hold.release();
    const [first] = asked.grants;
    return first === undefined ? undefined : heldError(first);
  }

  /** What is granted already; nobody is asked. */
  async granted(piece: AskedPiece, ground: Ground, held: readonly Held[]): Promise<readonly Grant[]> {
    const { holds, requester } = this.#ports;
    const grants: Grant[] = [];
    for (const one of held) {
      const hold = await holds.granted(requester.id, one.rule.name, async () =>
        this.#request(piece, one, await stateOf(piece, ground), false),
      );
      if (hold === undefined) continue;
      hold.release();
      const may = await mayDo(ground.isUndone ? 'nothing' : 'transaction', [one], ground);
      if (may.use) grants.push({ ...one, hold, covers: () => false });
    }
    return grants;
  }

  /** Uses every grant, once; none is left half used where one cannot be. */
  async take(grants: readonly Grant[], { intent }: RunningOperation): Promise<Used> {
    const taken: Taken[] = [];
    for (const { hold } of grants) {
      const one = await this.#ports.holds.take(hold.id, hold.digest, this.#ports.session, intent);
      if (one.kind === 'refused') {
        for (const other of taken) await other.done('failed');
        return {
          kind: 'refused',
          error: new CountersignError('HOLD_NOT_USABLE', { id: hold.id, why: one.why }),
        };
      }
      taken.push(one);
    }
    const done = async (outcome: Outcome, operation: RunningOperation): Promise<void> => {
      const status =
        outcome === 'abandoned' ? 'unknown' : outcome === 'failed' || outcome === 'skipped' ? 'failed' : 'ok';
      for (const one of taken) await one.done(status, { rows: operation.rows });
    };
    return { kind: 'taken', done };
  }

  /** The error, where it may not go on. */
  async #waitForAll(
    grants: readonly Demanded[],
    inTransaction: boolean,
    opened: Opened,
  ): Promise<CountersignError | undefined> {
    const { promise: tooLong, resolve } = Promise.withResolvers<Interrupted>();
    const limit = inTransaction
      ? setTimeout(() => resolve({ state: 'interrupted', by: 'limit' }), LIMITS.policy.waitInTransactionMs)
      : undefined;
    try {
      for (const grant of grants) {
        // oxlint-disable-next-line no-await-in-loop -- Whoever has approved all but one has approved nothing.
        const end = await this.#waitFor(grant, tooLong, inTransaction);
        const error = errorOfEnd(end, grant);
        if (error !== undefined) return error;
        if (end.state === 'granted') opened.set(grant.hold.id, end.openedBy);
      }
      return undefined;
    } finally {
      clearTimeout(limit);
    }
  }

  async #waitFor(
    grant: Demanded,
    tooLong: Promise<Interrupted>,
    inTransaction: boolean,
  ): Promise<Settlement | Interrupted> {
    const { hold, rule, cause } = grant;
    const { say, waiting } = this.#ports;
    const approvers = `It waits for ${rule.hold?.count ?? 1} of: ${(rule.hold?.approvers ?? []).join(', ')}.`;
    say(
      encodeNoticeResponse(
        new CountersignError('HOLD_WAITING', {
          rule: rule.name,
          version: rule.version,
          what: cause?.what ?? '',
          id: hold.id,
          until: new Date(hold.expiresUs / 1000).toISOString().slice(0, 19),
        }),
        'NOTICE',
        {
          detail: [approvers, this.#ports.holdLink(hold.id), ...(inTransaction ? [STAYS_OPEN] : [])].join(
            ' ',
          ),
        },
      ),
    );
    const { promise, resolve } = Promise.withResolvers<Interrupted>();
    this.#interrupt = resolve;
    // While it was asked, nobody heard of that.
    if (this.#interrupted !== undefined) resolve(this.#interrupted);
    waiting(true);
    let end: Settlement | Interrupted;
    try {
      end = await Promise.race([hold.settled, promise, tooLong]);
    } finally {
      this.#interrupt = undefined;
      waiting(false);
    }
    if (end.state === 'interrupted' && end.by === 'cancel') {
      await hold.withdraw('its client cancelled the statement');
    }
    return end;
  }

  #request(
    piece: AskedPiece,
    { rule, cause, rows, tables, estimate, keys = [] }: Held,
    state: SessionState,
    waits: boolean,
  ): Parameters<HoldsPort['ask']>[0] {
    const { requester, session, connection, database, address } = this.#ports;
    const { judgement, operation, message, textBytes, copyIn } = piece;
    const { read, policy } = judgement;
    const statements: readonly StatementFacts[] = read.kind === 'read' ? read.statements : [];
    const copied = operation.copiedSha256;
    return {
      binding: {
        protocol: 'postgres',
        message,
        statement: textBytes,
        parameters: parametersOf(piece),
        principal: requester.id,
        connection,
        database,
        role: state.role,
        state: state.settings,
        policy,
        rule: { name: rule.name, version: rule.version },
        ...(rows === undefined ? {} : { rows }),
        context: { ...state.objects, ...(copied === undefined ? {} : { 'copy data': copied }) },
      },
      demand: {
        ...demandOf(rule, cause),
        openers: openersOf(judgement.decision, rule, tables).map(({ name, version }) => ({ name, version })),
      },
      requester,
      sessionId: session,
      bindToSession: waits && !copyIn,
      intentLeaf: operation.intent ?? 0,
      facts: {
        effects: [...new Set(statements.flatMap(({ effects }) => effects.map(({ effect }) => effect)))],
        tables: [
          ...new Set(
            statements.flatMap(({ writes }) =>
              writes.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`)),
            ),
          ),
        ],
        exactRows: rows,
        estimatedRows: estimate ?? judgement.estimatedRows,
        affectedKeys: shownKeys(keys, judgement.masks),
        shown: operation.shownText,
      },
      address,
    };
  }
}

/** Keys of rows as approvers see them: none of a table with masked columns, and none that look like somebody's data. */
function shownKeys(keys: readonly string[], masks: MaskWords | undefined): readonly string[] {
  if (masks === undefined) return keys;
  if (masks.hidesKeys) return [];
  return keys.map((key) => (findIn(Buffer.from(key), NO_HINTS).count === 0 ? key : HIDDEN_VALUE));
}

/** The values; of a Bind in the spool itself and the types, since a mark is another in each session. */
function parametersOf({ portal, spooled }: AskedPiece): HoldBinding['parameters'] {
  const typeOids = portal?.statement?.parameterTypeOids ?? [];
  if (spooled !== undefined)
    return [{ spooled }, ...typeOids.map((typeOid) => ({ typeOid, format: 0, value: undefined }))];
  return (portal?.values ?? []).map(({ format, bytes }, at) => ({
    typeOid: typeOids[at] ?? 0,
    format: format === 'binary' ? 1 : 0,
    value: bytes ?? undefined,
  }));
}

/** People who agree, agree to whatever it writes; who opens it by a rule, to what the rule covers. */
function usable(demanded: readonly Demanded[], opened: Opened, { judgement }: AskedPiece): Asked {
  const grants = demanded.map((one): Grant => {
    const by = opened.get(one.hold.id);
    const covers: Grant['covers'] = (tables) =>
      by === undefined || openersOf(judgement.decision, one.rule, tables).some(({ name }) => name === by);
    return { ...one, covers };
  });
  // It was opened when the same number of rows was of other tables.
  const other = grants.find(({ tables, covers }) => !covers(tables ?? []));
  if (other === undefined) return { kind: 'granted', grants };
  for (const { hold } of grants) hold.release();
  const why = 'the rule by which it was opened does not cover what it writes now';
  return { kind: 'refused', error: new CountersignError('HOLD_NOT_USABLE', { id: other.hold.id, why }) };
}

async function stateOf({ judgement: { read } }: AskedPiece, ground: Ground): Promise<SessionState> {
  return readState(await ground.ask(stateQuestion(read.kind === 'read' ? read.statements : [])));
}

function heldError({ hold, rule, cause }: Demanded): CountersignError {
  return new CountersignError('POLICY_HELD', {
    rule: rule.name,
    version: rule.version,
    what: cause?.what ?? '',
    id: hold.id,
  });
}

function staleError({ hold: { id } }: Demanded): CountersignError {
  const why =
    'its transaction sees the database as it was when it began, and what it means may be another by now; run it at READ COMMITTED, or outside of a transaction';
  return new CountersignError('HOLD_NOT_USABLE', { id, why });
}

function errorOfEnd(end: Settlement | Interrupted, grant: Demanded): CountersignError | undefined {
  const { id } = grant.hold;
  switch (end.state) {
    case 'granted':
      return undefined;
    case 'denied':
      return new CountersignError('HOLD_DENIED', { id, by: end.by });
    case 'expired':
      return new CountersignError('HOLD_EXPIRED', { id });
    case 'withdrawn':
      return new CountersignError('HOLD_WITHDRAWN', { id, reason: end.reason ?? '' });
    case 'used':
      return new CountersignError('HOLD_NOT_USABLE', { id, why: 'used' });
    case 'interrupted':
      // The request stays: it can be used when it is approved.
      if (end.by === 'limit') return heldError(grant);
      return new CountersignError('HOLD_WITHDRAWN', {
        id,
        reason: end.by === 'cancel' ? 'the client cancelled' : 'the client left',
      });
    default:
      return end satisfies never;
  }
}
