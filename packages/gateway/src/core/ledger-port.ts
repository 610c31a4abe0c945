/**
 * The port through which every room writes to the ledger; audit implements it.
 *
 * Spec: spec/ledger.md, sections 2, 3 and 5; spec/events.md for types, status values and fields.
 */

/** JSON as a body may hold it: no null, integers only. */
export type BodyValue =
  | string
  | number
  | boolean
  | readonly BodyValue[]
  | { readonly [field: string]: BodyValue };

/** What a room knows of an event; index, time, boot and position in the session are the writer's. */
export interface LedgerEvent {
  /** A key of the event catalogue. */
  readonly type: string;
  readonly kind: string;
  /** Pseudonym, 32 hex digits; absent where kind is `system`. */
  readonly actor?: string | undefined;
  readonly session?: string | undefined;
  /** Name of the connection. */
  readonly target?: string | undefined;
  /** Index of the leaf this one answers; -1: the event before it in the same appendMany, whose index nobody has yet. */
  readonly ref?: number | undefined;
  readonly status?: string | undefined;
  readonly decision?: string | undefined;
  readonly policy?: string | undefined;
  readonly body?: Readonly<Record<string, BodyValue>>;
  /** Scope whose key seals the body: a session, a principal or a boot. */
  readonly keyId: string;
}

/** Where an event stands in the log. */
export interface Appended {
  readonly index: number;
  /** Microseconds since the epoch, as the leaf says. */
  readonly timeUs: number;
}

/** Resolves as the event's wait class says (durable, signed); rejects with LEDGER_HALTED. */
export interface LedgerPort {
  append(event: LedgerEvent): Promise<Appended>;
  /** One group: the leaves stand in this order, and all are durable when it resolves. */
  appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]>;
}

/** What keeps the keys of scopes; the room `keys` implements it. */
export interface ScopeKeys {
  /** A new 256-bit key for a scope, kept wrapped before this resolves. */
  create(scope: string): Promise<Uint8Array>;
  /** The key of a scope; undefined where it was destroyed or never was. */
  find(scope: string): Promise<Uint8Array | undefined>;
  /** Destroys the key: everything sealed under it is unreadable from now on. False where there was none. */
  destroy(scope: string): Promise<boolean>;
}
