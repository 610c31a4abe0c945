/**
 * Tables of the control state: indexes and configuration only; the ledger is the truth.
 *
 * Times are microseconds since the epoch; flags are 0 or 1, so that SQLite and PostgreSQL agree.
 */

export interface MetaTable {
  readonly key: string;
  readonly value: string;
}

/** Keys of scopes, wrapped by the installation key; a destroyed one keeps its row without the key. */
export interface ScopeKeysTable {
  readonly scope: string;
  readonly wrapped: Uint8Array | null;
  readonly created_us: number;
  readonly destroyed_us: number | null;
}

/** People, service accounts and CI identities. */
export interface PrincipalsTable {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly display_name: string;
  readonly issuer: string;
  readonly subject: string;
  readonly disabled: number;
  /** Key of the pseudonym, wrapped; null after the person was forgotten. */
  readonly person_key: Uint8Array | null;
  readonly password_hash: string | null;
  /** One salt for all tokens of a name: SCRAM announces it before the client says which token it has. */
  readonly scram_salt: Uint8Array;
  readonly created_us: number;
}

export interface TokensTable {
  readonly id: string;
  readonly principal_id: string;
  readonly name: string;
  /** SHA-256 of the token, for bearer authentication; a token has 160 random bits. */
  readonly sha256: Uint8Array;
  readonly stored_key: Uint8Array;
  readonly server_key: Uint8Array;
  readonly created_us: number;
  readonly expires_us: number;
  readonly revoked_us: number | null;
  readonly last_used_us: number | null;
  /** How who made it for themselves had logged in: methods of RFC 8176, with blanks between them; */
  readonly amr: string | null;
  /** and when. */
  readonly authenticated_us: number | null;
  /** Of a pair that signs; its three verifiers above are of nothing. */
  readonly access_key_id: string | null;
  /** The secret of the pair, sealed for this token. */
  readonly sealed_secret: Uint8Array | null;
}

/** One of each person; before it is confirmed it counts for nothing. */
export interface SecondFactorsTable {
  readonly principal_id: string;
  readonly id: string;
  /** The secret, sealed for this person and this enrolment. */
  readonly wrapped: Uint8Array;
  readonly created_us: number;
  readonly confirmed_us: number | null;
  /** Step of the last code that was used: only later ones are taken. */
  readonly last_step: number | null;
  /** Wrong codes in a row, */
  readonly failures: number;
  /** and when the last one came. */
  readonly failed_us: number | null;
}

/** One-time codes: the first administrator, and people who set their first password. */
export interface EnrolmentCodesTable {
  readonly id: string;
  readonly name: string;
  readonly sha256: Uint8Array;
  readonly expires_us: number;
  readonly used_us: number | null;
}

/** The current version of each resource. */
export interface ResourcesTable {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  /** The resource as canonical JSON. */
  readonly document: string;
  readonly digest: string;
  readonly changed_us: number;
  readonly changed_by: string;
}

/**
 * Changes that are being written to the ledger, or were and are not in `resources` yet.
 *
 * A row is made before the leaf and goes with the transaction that takes effect, so that a start
 * after a crash can tell what to finish. It also keeps a second gateway from the same resource.
 */
export interface ResourceChangesTable {
  readonly kind: string;
  readonly name: string;
  /** Which gateway made it; only that one finishes it. */
  readonly node: string;
  readonly change: string;
  readonly previous_version: number;
  readonly version: number;
  /** The resource as canonical JSON; null where it is deleted. */
  readonly document: string | null;
  readonly digest: string;
  readonly changed_us: number;
  readonly changed_by: string;
}

/** A password that was set through the API, wrapped under the installation key. */
export interface SealedCredentialsTable {
  readonly connection: string;
  readonly wrapped: Uint8Array;
  readonly changed_us: number;
}

/** Index of sessions, rebuilt from the ledger where it is lost. */
export interface SessionsTable {
  readonly id: string;
  readonly principal_id: string;
  readonly name: string;
  readonly connection: string;
  readonly database: string;
  readonly address: string;
  readonly client: string;
  readonly started_us: number;
  readonly ended_us: number | null;
  readonly status: string | null;
  readonly statements: number;
  readonly first_leaf: number;
  readonly last_leaf: number | null;
  /** When a second factor was proved, where one was. */
  readonly mfa_us: number | null;
}

/** Evidence packages that were built. */
export interface PackagesTable {
  readonly id: string;
  readonly from_us: number;
  readonly to_us: number;
  readonly created_us: number;
  readonly requested_by: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly file: string;
}

/**
 * Holds: requests that wait for other people, and what became of them.
 *
 * `version` rises with each change, and each change says which version it changes. A change whose leaf is
 * being written stands in `pending` and keeps every other one away; a start after a crash looks whether
 * the leaf came to be. Statement, facts, reasons and comments are sealed under the key of `session_id`.
 */
export interface HoldsTable {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  readonly digest: string;
  /** Principal and digest while it is asked or granted, so that there is one of them; null afterwards. */
  readonly open_key: string | null;
  readonly principal_id: string;
  /** Session that asked, or who asked where there was none; its key seals what is sealed. */
  readonly session_id: string;
  /** Session that alone may use the grant while it is open. */
  readonly bound_session: string | null;
  /** Gateway that asked. */
  readonly node: string;
  readonly policy: string;
  /** What was asked, without the statement and its values, as JSON. */
  readonly document: string;
  readonly sealed: Uint8Array;
  readonly asked_us: number;
  readonly expires_us: number;
  readonly use_until_us: number | null;
  readonly changed_us: number;
  /** Leaf `hold.asked` in the log of `node`. */
  readonly asked_leaf: number | null;
  readonly taken_node: string | null;
  readonly taken_leaf: number | null;
  /** `ok`, `failed` or `unknown` after it was used. */
  readonly outcome: string | null;
  /** Name of who ended it; null for the gateway itself. */
  readonly ended_by: string | null;
  readonly sealed_reason: Uint8Array | null;
  readonly pending: string | null;
  readonly pending_node: string | null;
  /** The leaf of the pending change is at this index of the log or after it. */
  readonly pending_leaf: number | null;
  readonly pending_us: number | null;
  /** By whom, by which rule and until when it was opened in an emergency, as JSON. */
  readonly opening: string | null;
  /** Why. */
  readonly sealed_opening: Uint8Array | null;
  /** Who looked at that afterwards, and what they found, as JSON, */
  readonly review: string | null;
  /** and what they said. */
  readonly sealed_review: Uint8Array | null;
  /** When it has to be looked at; null where nobody has to, or somebody has. */
  readonly review_by_us: number | null;
  /** Since when its reviewers have to be told; null where nobody has to be, or was. */
  readonly notice_due_us: number | null;
  /** When they were told that they are late. */
  readonly overdue_told_us: number | null;
}

/** The last vote of each person on a hold. */
export interface HoldVotesTable {
  readonly hold_id: string;
  readonly principal_id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  /** Groups at the time of the vote, as JSON. */
  readonly groups: string;
  readonly decision: string;
  readonly sealed_comment: Uint8Array | null;
  readonly voted_us: number;
  /** In whose log, */
  readonly node: string;
  /** and where. */
  readonly leaf: number;
}

/** What is sealed under the installation key as a whole, one row for each ring of keys. */
export interface SealedRingsTable {
  readonly ring: string;
  /** 1, 2, 3 …: whoever changes it knew this one. */
  readonly version: number;
  readonly wrapped: Uint8Array;
  readonly changed_us: number;
}

export interface Schema {
  meta: MetaTable;
  scope_keys: ScopeKeysTable;
  principals: PrincipalsTable;
  tokens: TokensTable;
  enrolment_codes: EnrolmentCodesTable;
  resources: ResourcesTable;
  resource_changes: ResourceChangesTable;
  sealed_credentials: SealedCredentialsTable;
  sessions: SessionsTable;
  packages: PackagesTable;
  holds: HoldsTable;
  hold_votes: HoldVotesTable;
  sealed_rings: SealedRingsTable;
  second_factors: SecondFactorsTable;
}
