/** What a session needs of the other rooms; wired in main. */

import type { HoldsPort } from '../approvals/holds-port.ts';
import type { Authentication } from '../core/authentication.ts';
import type { Clock } from '../core/clock.ts';
import type { CountersignError } from '../core/errors.ts';
import type { HoldId } from '../core/ids.ts';
import type { LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import type { Principal } from '../core/principal.ts';
import type { Recorder } from '../recording/recorder.ts';
import type { Spool } from '../recording/spool.ts';
import type { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import type { Caller } from '../policy/decide.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { AsksForTrees } from './postgres/armed/server-trees.ts';
import type { PolicyNow } from './postgres/inspection.ts';
import type { RetrievedTexts } from './retrieved-texts.ts';
import type { SqlReader } from './sql-reader.ts';

/** What Masks of the mode `server-role` rest on: the rights of the role with which the target is used. */
export interface ServerRoleGround {
  /** Index of the leaf that says that they hold; undefined where no such Mask reaches the session. */
  readonly leaf: number | undefined;
  /** Why nothing may pass any more; undefined while they hold. */
  stopped(): string | undefined;
}

/** Why a principal may use a connection, and what it leads to. */
export interface Admission {
  readonly connection: string;
  /** Name of the Access resource. */
  readonly access: string;
  readonly database: string;
  /** Digest of the policy bundle that said so. */
  readonly policy: string;
  /** How the owner of the token had logged in who made it; absent where that is not known. */
  readonly authentication?: Authentication | undefined;
  /** Whether the target says what a ruled statement means before it runs. */
  readonly asksForTrees: AsksForTrees;
  /** What decides about statements now; changes with the resources. */
  policyNow(): PolicyNow;
  /** Whether what it gives out is remembered, to be found again in rerank calls. */
  readonly lineage?: boolean | undefined;
  /** Keys of the masks, where any reach the session; it starts with the settings that they need. */
  readonly maskingKeys: MaskingKeyRing | undefined;
  readonly serverRole: ServerRoleGround;
  /** With the credential, fetched at this moment. */
  openTarget(): Promise<PostgresTarget>;
}

/** Where a client stands, and with which token it came. */
export interface AdmittedCaller extends Pick<Caller, 'address' | 'client'> {
  readonly tokenId: string;
}

export interface SessionLedger extends LedgerPort {
  openScope(keyId: string, key: Uint8Array): void;
  closeScope(keyId: string): void;
}

export interface SessionPorts {
  readonly ledger: SessionLedger;
  readonly keys: ScopeKeys;
  /** Throws ACCESS_DENIED or CONNECTION_UNKNOWN. */
  admit(
    principal: Principal,
    connection: string,
    database: string | undefined,
    caller: AdmittedCaller,
  ): Promise<Admission>;
  readonly sql: SqlReader;
  readonly holds: HoldsPort;
  /** Where people look at a hold. */
  readonly holdLink: (id: HoldId) => string;
  /** Whether the principal, the token and the grant are all still good. */
  stillGood(principal: Principal, tokenId: string, connection: string): Promise<boolean>;
  /** The principal's pseudonym. */
  actorOf(principal: Principal): Promise<string>;
  readonly recorder: Recorder;
  readonly retrieved: RetrievedTexts;
  readonly spool: Spool;
  readonly sessions: LiveSessions;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** What went wrong, for the operator's log. */
  readonly onError: (error: CountersignError, session: string) => void;
  /** The index of sessions; the ledger is the truth. */
  readonly index: SessionIndex;
}

export interface SessionStarted {
  readonly id: string;
  readonly principal: Principal;
  readonly connection: string;
  readonly database: string;
  readonly address: string;
  readonly client: string;
  /** When a second factor was proved, where one was. */
  readonly mfaUs: number | undefined;
  readonly startedUs: number;
  readonly firstLeaf: number;
}

export interface SessionEnded {
  readonly id: string;
  readonly endedUs: number;
  readonly status: string;
  readonly statements: number;
  readonly lastLeaf: number;
}

export interface SessionIndex {
  started(session: SessionStarted): Promise<void>;
  ended(session: SessionEnded): Promise<void>;
}
