/**
 * What an approval is bound to, and the digest of it.
 *
 * Spec: spec/policy.md, "Holds"; vectors/policy/holds.jsonl. The digest is SHA-256 over the JCS (RFC
 * 8785) of {@link BoundTo}, which stands in the leaf `hold.asked`: whoever reads the leaf computes the
 * digest again. A value stands there as its SHA-256, so that the leaf holds none.
 */

import { createHash } from 'node:crypto';
import { type Json, jcs } from '@countersign/ledger/jcs';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

/** One bound value of a statement. */
export interface BoundParameter {
  /** Type OID as the client or the target gave it; 0 where neither did. */
  readonly typeOid: number;
  /** 0 text, 1 binary. */
  readonly format: number;
  /** Undefined for NULL. */
  readonly value: Uint8Array | undefined;
}

/** All values of a Bind that was too large to be held. */
export interface SpooledParameters {
  /** Bytes of the message without its header; SHA-256 of the whole message, 64 hex digits. */
  readonly spooled: { readonly bytes: number; readonly sha256: string };
}

/** Everything that makes an operation this one and no other. */
export interface HoldBinding {
  readonly protocol: string;
  /** `Query`, `Execute`, `FunctionCall`. */
  readonly message: string;
  /** The bytes as the client sent them. */
  readonly statement: Uint8Array;
  readonly parameters: readonly (BoundParameter | SpooledParameters)[];
  /** `prn_…`. */
  readonly principal: string;
  readonly connection: string;
  readonly database: string;
  /** The role in force at the target. */
  readonly role: string;
  /** Session state that changes what the statement means: search_path and other settings. */
  readonly state: Readonly<Record<string, string>>;
  /** Digest of the whole policy that it was judged by, 64 hex digits; bound is what of it decides. */
  readonly policy: string;
  readonly rule: { readonly name: string; readonly version: number };
  /** Rows that the approval covers, counted; absent where nothing was counted. */
  readonly rows?: number | undefined;
  /** What else must be the same. */
  readonly context?: Readonly<Record<string, string>> | undefined;
}

/** Everything that makes a change of resources this one and no other. */
export interface ChangeBinding {
  readonly protocol: 'resources' | 'reveal';
  /** `apply`, `delete`, `password`, `token`, `invitation`; of what is revealed `literals`, `value`. */
  readonly message: string;
  /** JCS of the list of what is changed, each with the version that it was and what it would be. */
  readonly changes: Uint8Array;
  /** Kind and name of each. */
  readonly resources: readonly ResourceName[];
  /** `prn_…`. */
  readonly principal: string;
  /** Digest of the whole policy, 64 hex digits; bound are the guards and the versions of what is changed. */
  readonly policy: string;
  readonly rule: { readonly name: string; readonly version: number };
}

/** Kind and name. */
export type ResourceName = readonly [kind: string, name: string];

/** The binding without values: what the leaf says, and what the digest is over. */
export type BoundTo = Readonly<Record<string, string | number>>;

/** The digest, 64 hex digits, and what it is over. LIMIT_EXCEEDED for more than can be bound. */
export function bind(binding: HoldBinding | ChangeBinding): {
  readonly digest: string;
  readonly boundTo: BoundTo;
} {
  const boundTo = 'changes' in binding ? changeBoundTo(binding) : operationBoundTo(binding);
  return { digest: hashOf(boundTo), boundTo };
}

function changeBoundTo({ protocol, message, changes, principal, policy, rule }: ChangeBinding): BoundTo {
  return {
    changes: sha256(changes),
    message,
    policy,
    principal,
    protocol,
    rule: rule.name,
    rule_version: rule.version,
    v: 1,
  };
}

function operationBoundTo(binding: HoldBinding): BoundTo {
  const { parametersMax, contextMax } = LIMITS.approvals;
  const { state, context = {} } = binding;
  atMost('approvals.parametersMax', parametersMax, binding.parameters.length);
  atMost('approvals.contextMax', contextMax, Object.keys(state).length + Object.keys(context).length);
  return {
    connection: binding.connection,
    context: hashOf(context),
    database: binding.database,
    message: binding.message,
    parameters: hashOf(binding.parameters.map(parameterOf)),
    policy: binding.policy,
    principal: binding.principal,
    protocol: binding.protocol,
    role: binding.role,
    rule: binding.rule.name,
    rule_version: binding.rule.version,
    state: hashOf(state),
    statement: sha256(binding.statement),
    v: 1,
    ...(binding.rows === undefined ? {} : { rows: binding.rows }),
  };
}

/** `{format, sha256, type}`; a NULL has no `sha256`. Of what lies in the spool `{spooled: {bytes, sha256}}`. */
function parameterOf(parameter: BoundParameter | SpooledParameters): Json {
  if ('spooled' in parameter)
    return { spooled: { bytes: parameter.spooled.bytes, sha256: parameter.spooled.sha256 } };
  const { typeOid, format, value } = parameter;
  return { format, type: typeOid, ...(value === undefined ? {} : { sha256: sha256(value) }) };
}

function hashOf(value: Json): string {
  return sha256(Buffer.from(jcs(value), 'utf8'));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function atMost(limit: string, allowed: number, actual: number): void {
  if (actual > allowed) throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}
