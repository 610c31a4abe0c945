/**
 * Asks people, waits for them, and uses what they granted.
 *
 * Spec: spec/policy.md, "Holds". A client waits only while nothing of its session is open at the target;
 * else it gets an error at once, and the identical statement passes once when it was approved.
 */

import { isDeepStrictEqual } from 'node:util';
import type { HoldBinding } from '../../approvals/binding.ts';
import type {
  Hold,
  HoldDemand,
  HoldsPort,
  Requester,
  Settlement,
  Taken,
} from '../../approvals/holds-port.ts';
import { CountersignError } from '../../core/errors.ts';
import type { SessionId } from '../../core/ids.ts';
import type { StatementFacts } from '../../core/effects.ts';
import type { Cause } from '../../policy/decide.ts';
import { parseDurationMs } from '../../policy/patterns.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import { encodeNoticeResponse } from '../../protocols/postgres/encode.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Ground } from './ground.ts';
import type { Judgement } from './inspection.ts';
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
  /** Keys of some of them. */
  readonly keys?: readonly string[];
}

export interface Grant extends Held {
  readonly hold: Hold;
}

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

type Interrupted = { readonly state: 'interrupted'; readonly by: 'cancel' | 'leave' };

/** Owned by the conductor of one session. */
export class Asking {
  readonly #ports: AskingPorts;
  #interrupt: ((how: Interrupted) => void) | undefined;

  constructor(ports: AskingPorts) {
    this.#ports = ports;
  }

  /** The client gives the statement up: what it asked for is withdrawn. */
  cancel(): void {
    this.#interrupt?.({ state: 'interrupted', by: 'cancel' });
  }

  /** The client is gone: what it asked for stays, and it may come back. */
  leave(): void {
    this.#interrupt?.({ state: 'interrupted', by: 'leave' });
  }

  /**
   * Asks for each rule.
   *
   * @param mayWait whether nothing of the session is open at the target
   */
  async all(piece: AskedPiece, ground: Ground, held: readonly Held[], mayWait: boolean): Promise<Asked> {
    const state = await stateOf(piece, ground);
    const grants: Grant[] = [];
    for (const one of held) {
      const hold = await this.#ports.holds.ask(this.#request(piece, one, state, mayWait));
      grants.push({ ...one, hold });
    }
    const open = grants.filter(({ hold }) => hold.state !== 'granted');
    const [first] = open;
    if (first === undefined) return { kind: 'granted', grants };
    if (!mayWait || piece.copyIn) {
      for (const { hold } of grants) hold.release();
      return { kind: 'refused', error: heldError(first) };
    }
    for (const grant of open) {
      const error = await this.#waitFor(grant);
      if (error !== undefined) {
        for (const { hold } of grants) hold.release();
        return { kind: 'refused', error };
      }
    }
    // Other sessions went on meanwhile: what was approved is what it meant then.
    if (!isDeepStrictEqual(await stateOf(piece, ground), state)) {
      for (const { hold } of grants) hold.release();
      const why = 'what the statement means was changed while it waited';
      return { kind: 'refused', error: new CountersignError('HOLD_NOT_USABLE', { id: first.hold.id, why }) };
    }
    return { kind: 'granted', grants };
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

  async #waitFor({ hold, rule, cause }: Grant): Promise<CountersignError | undefined> {
    const { say, waiting } = this.#ports;
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
        { detail: `It waits for ${rule.hold?.count ?? 1} of: ${(rule.hold?.approvers ?? []).join(', ')}.` },
      ),
    );
    const { promise, resolve } = Promise.withResolvers<Interrupted>();
    this.#interrupt = resolve;
    waiting(true);
    let end: Settlement | Interrupted;
    try {
      end = await Promise.race([hold.settled, promise]);
    } finally {
      this.#interrupt = undefined;
      waiting(false);
    }
    if (end.state === 'interrupted' && end.by === 'cancel') {
      await hold.withdraw('its client cancelled the statement');
    }
    return errorOfEnd(end, hold);
  }

  #request(
    piece: AskedPiece,
    { rule, cause, rows, keys = [] }: Held,
    state: SessionState,
    mayWait: boolean,
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
      demand: demandOf(rule, cause),
      requester,
      sessionId: session,
      bindToSession: mayWait && !copyIn,
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
        affectedKeys: keys,
      },
      address,
    };
  }
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

async function stateOf({ judgement: { read } }: AskedPiece, ground: Ground): Promise<SessionState> {
  return readState(await ground.ask(stateQuestion(read.kind === 'read' ? read.statements : [])));
}

function demandOf({ name, version, hold, description }: CompiledRule, cause: Cause | undefined): HoldDemand {
  if (hold === undefined) throw new CountersignError('INTERNAL', {}, { cause: `rule ${name} does not hold` });
  const reason = [cause?.what, description].filter((part) => part !== undefined).join(': ');
  return {
    rule: { name, version },
    approvers: hold.approvers,
    count: hold.count,
    expiresMs: parseDurationMs(hold.expires),
    useWithinMs: parseDurationMs(hold.within),
    requireReason: hold.reason === 'required',
    reason,
  };
}

function heldError({ hold, rule, cause }: Grant): CountersignError {
  return new CountersignError('POLICY_HELD', {
    rule: rule.name,
    version: rule.version,
    what: cause?.what ?? '',
    id: hold.id,
  });
}

function errorOfEnd(end: Settlement | Interrupted, { id }: Hold): CountersignError | undefined {
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
      return new CountersignError('HOLD_WITHDRAWN', {
        id,
        reason: end.by === 'cancel' ? 'the client cancelled' : 'the client left',
      });
    default:
      return end satisfies never;
  }
}
