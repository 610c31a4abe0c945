/** What the API answers: the types that the CLI and the console know. Times are RFC 3339, UTC, microseconds. */

import type { MaskPreview } from '../preview/mask-preview.ts';
import type { MaskDdl } from '../server-role/read-ddl.ts';

/** What Masks hide, and what a look at samples found. */
export interface MaskPreviewAnswer extends MaskPreview {
  /** For whom it was asked; with it, whether some Access resource lets them in. */
  readonly for?: string;
  readonly letIn?: boolean;
}

/** The script for an administrator of the target. */
export type MaskDdlAnswer = MaskDdl;

export interface ErrorAnswer {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Everything that is wrong with the text that was sent. */
  readonly problems?: readonly ProblemRow[];
}

export interface ProblemRow {
  /** What was expected. */
  readonly says: string;
  /** Of the text, from 1; absent where it is about what does not stand there. */
  readonly line?: number;
  readonly kind?: string;
  readonly name?: string;
  /** `when.rows`. */
  readonly path?: string;
}

export interface TokenAnswer {
  readonly id: string;
  readonly owner: string;
  /** Shown once; of an access key pair its secret access key. */
  readonly token: string;
  /** Of an access key pair. */
  readonly accessKeyId?: string;
  readonly expiresAt: string;
  /** How its login was authenticated, RFC 8176; absent where it says nothing of that. */
  readonly amr?: readonly string[];
}

/** Shown once. */
export interface FactorOfferAnswer {
  /** `otpauth://totp/…` for an authenticator app. */
  readonly uri: string;
  /** Until when a first code can confirm it. */
  readonly expiresAt: string;
}

export interface WhoamiAnswer {
  readonly name: string;
  readonly displayName: string;
  readonly kind: string;
  readonly groups: readonly string[];
  readonly tokenId: string;
  /** How the login behind the token was authenticated, RFC 8176, */
  readonly amr?: readonly string[];
  /** and when. */
  readonly authenticatedAt?: string;
  /** `none`, `pending` while it is not confirmed, or `confirmed`. */
  readonly secondFactor: string;
  /** Port of the PostgreSQL listener, so that a client can say how to connect. */
  readonly postgresPort: number;
}

/** How a connection is reached: the host is the one that the gateway is known by. */
export interface ConnectionAnswer {
  readonly name: string;
  /** `postgres`, `http`. */
  readonly protocol: string;
  readonly port: number;
  /** Between clients and the gateway: `optional`, `required`, `off`. */
  readonly tls: string;
  /** Nobody has given the gateway a certificate: clients have to be told which one it is. */
  readonly selfSigned: boolean;
  /** Names under which an HTTP connection is reached without its own name in the path. */
  readonly hosts: readonly string[];
}

export interface InvitationAnswer {
  readonly name: string;
  /** Shown once. */
  readonly code: string;
  readonly expiresAt: string;
}

export interface TokenRow {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly state: 'live' | 'expired' | 'revoked';
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly lastUsedAt?: string;
  /** Of an access key pair. */
  readonly accessKeyId?: string;
}

export interface TokensAnswer {
  readonly tokens: readonly TokenRow[];
}

export interface ResourceRow {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly changedAt: string;
  readonly changedBy: string;
  readonly document: unknown;
}

export interface ResourcesAnswer {
  readonly resources: readonly ResourceRow[];
}

export interface ChangeRow {
  readonly kind: string;
  readonly name: string;
  readonly action: string;
  readonly version: number;
  readonly diff: readonly { readonly path: string; readonly from?: unknown; readonly to?: unknown }[];
}

export interface ChangesAnswer {
  readonly changes: readonly ChangeRow[];
}

/** The literals of one statement, as they came. */
export interface RevealedLiteralsAnswer {
  /** Index of the leaf that says so. */
  readonly leaf: number;
  /** As spec/events.md has them in a `statement.intent`. */
  readonly sql?: unknown;
  readonly parameters?: unknown;
}

/** What a masked value stands for. */
export interface RevealedValueAnswer {
  readonly leaf: number;
  readonly value: string;
}

/** A rule that would hold an apply: so many of its approvers have to agree first. */
export interface HeldByRow {
  readonly rule: string;
  readonly version: number;
  readonly what: string;
  readonly approvers: readonly string[];
  readonly count: number;
}

export interface DiffAnswer extends ChangesAnswer {
  readonly heldBy: readonly HeldByRow[];
}

export interface SessionRow {
  readonly id: string;
  readonly name: string;
  readonly connection: string;
  readonly database: string;
  readonly address: string;
  readonly client: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  /** `open` while it lives. */
  readonly status: string;
  readonly statements: number;
  readonly firstLeaf: number;
  readonly lastLeaf?: number;
}

export interface SessionsAnswer {
  readonly sessions: readonly SessionRow[];
  /** Give it as `before` for those that follow; absent at the end. */
  readonly next?: string;
}

export interface StatementRow {
  /** Index of the leaf that was durable before the target heard of it. */
  readonly leaf: number;
  readonly at: string;
  /** `open` where it has no outcome yet. */
  readonly status: string;
  readonly outcomeLeaf?: number;
  /** Fields of the two bodies, spec/events.md; absent where they were shredded. */
  readonly intent?: Readonly<Record<string, unknown>>;
  readonly outcome?: Readonly<Record<string, unknown>>;
}

export interface SessionAnswer {
  readonly session: SessionRow;
  readonly shredded: boolean;
  readonly statements: readonly StatementRow[];
  /** Give it as `from` for those that follow; absent at the end. */
  readonly next?: number;
}

export interface ApprovalRow {
  readonly id: string;
  /** `asked`, `granted`, `denied`, `expired`, `withdrawn`, `executing`, `executed`, `failed`. */
  readonly state: string;
  readonly rule: string;
  readonly ruleVersion: number;
  readonly requester: string;
  /** `postgres`, or `resources` for a change of them. */
  readonly protocol: string;
  /** Where an operation runs. */
  readonly connection?: string;
  readonly database?: string;
  readonly askedAt: string;
  readonly expiresAt: string;
  /** The end of a grant. */
  readonly useUntil?: string;
  /** People who have to approve, and who did. */
  readonly count: number;
  readonly approved: number;
  /** Of one that was opened in an emergency: `unreviewed`, `justified`, `not-justified`, */
  readonly review?: string;
  /** and when somebody has to have looked at it. */
  readonly reviewBy?: string;
}

export interface ApprovalsAnswer {
  readonly approvals: readonly ApprovalRow[];
  /** Give it as `before` for those that follow; absent at the end. */
  readonly next?: string;
}

export interface VoteRow {
  readonly name: string;
  readonly groups: readonly string[];
  readonly decision: string;
  readonly comment?: string;
  readonly at: string;
  /** In whose log, and where. */
  readonly node: string;
  readonly leaf: number;
}

/** That a hold was opened in an emergency, and what somebody said of that afterwards. */
export interface BreakGlassRow {
  readonly rule: string;
  readonly ruleVersion: number;
  readonly reason?: string;
  readonly reviewers: readonly string[];
  readonly at: string;
  readonly until: string;
  /** In whose log, and where. */
  readonly node: string;
  readonly leaf: number;
  readonly reviewer?: string;
  readonly reviewerGroups?: readonly string[];
  readonly comment?: string;
  readonly reviewedAt?: string;
  readonly reviewNode?: string;
  readonly reviewLeaf?: number;
}

/** One resource of a change that is held, or what lets somebody in as it. */
export interface HeldChangeRow {
  /** `created`, `updated`, `deleted`, `password`, `token`, `invitation`. */
  readonly action: string;
  readonly kind: string;
  readonly name: string;
  /** The version that it was made on. */
  readonly previousVersion: number;
  readonly diff: ChangeRow['diff'];
}

/** What people see who decide: the statement, and of rows their keys only. */
export interface ApprovalDetail extends ApprovalRow {
  readonly digest: string;
  readonly policy: string;
  readonly approvers: readonly string[];
  readonly reasonRequired: boolean;
  /** So long ago the login of an approver may have had a second factor; absent where it needs none. */
  readonly mfaSeconds?: number;
  /** Why the rule is there. */
  readonly reason?: string;
  readonly requesterGroups: readonly string[];
  /** Of an operation. */
  readonly session?: string;
  readonly address: string;
  /** Index of the leaf `hold.asked` in the log of `node`. */
  readonly leaf?: number;
  readonly node: string;
  /** The session was shredded: nobody can read or approve it any more. */
  readonly shredded: boolean;
  /** The text, cut where it is long; of a change the JSON of `changes`, whole. */
  readonly statement?: string;
  /** Base64 where the text is not UTF-8. */
  readonly statementBase64?: string;
  readonly statementBytes?: number;
  readonly statementSha256?: string;
  readonly statementTruncated?: boolean;
  readonly effects: readonly string[];
  readonly tables: readonly string[];
  /** Rows that were counted. */
  readonly exactRows?: number;
  /** Rows that the approval covers. */
  readonly boundRows?: number;
  /** Rows that the target guessed. */
  readonly estimatedRows?: number;
  readonly affectedKeys: readonly string[];
  /** What a change is of, as it would be. */
  readonly changes?: readonly HeldChangeRow[];
  readonly votes: readonly VoteRow[];
  /** Rules by which who asked may open it, where it is an emergency. */
  readonly openers: readonly string[];
  readonly breakGlass?: BreakGlassRow;
  readonly endedBy?: string;
  readonly endReason?: string;
  /** `ok`, `failed` or `unknown` after it was used. */
  readonly outcome?: string;
}

export interface ApprovalAnswer {
  readonly approval: ApprovalDetail;
}

/** A change of a model that nobody had agreed to. */
export interface ModelFinding {
  /** Index of its leaf. */
  readonly leaf: number;
  readonly at: string;
  /** SHA-256 of what was said or answered before, and then, hex. */
  readonly was: string;
  readonly is: string;
}

/** What is known of a model by one kind of look. */
export interface ModelProbe {
  readonly kind: 'identity' | 'canary';
  readonly dialect: string;
  /** What later answers are compared with; absent before the first. */
  readonly baseline?: { readonly leaf: number; readonly at: string; readonly digest: string };
  /** When it was answered last. */
  readonly answeredAt?: string;
  /** Why the last look was not answered. */
  readonly failure?: string;
  /** The last twenty, the newest first. */
  readonly findings: readonly ModelFinding[];
}

export interface ModelRow {
  readonly connection: string;
  readonly model?: string;
  /** Seconds between two looks. */
  readonly everySeconds: number;
  readonly reviewers: readonly string[];
  readonly probes: readonly ModelProbe[];
}

export interface ModelsAnswer {
  readonly models: readonly ModelRow[];
}

export interface ModelAnswer extends ModelRow {
  /** What the service says of itself: by path, members with the bytes of their values. */
  readonly identity?: unknown;
  /** What the fixed question was answered: places of the documents from the best on, and the bytes of their scores. */
  readonly canary?: {
    readonly order: readonly number[];
    readonly scores: readonly string[];
    readonly tolerance: string;
  };
}

/** One look. */
export interface ModelLook {
  readonly kind: 'identity' | 'canary';
  readonly status: 'same' | 'changed' | 'unknown';
  readonly leaf: number;
  readonly at: string;
  /** It differs, and nobody had agreed to that. */
  readonly finding: boolean;
  /** There was nothing to compare it with. */
  readonly first: boolean;
  readonly digest?: string;
  readonly was?: string;
  /** Index of the `hold.taken` that let it. */
  readonly approval?: number;
  readonly failure?: string;
}

export interface ModelProbeAnswer {
  readonly connection: string;
  readonly looks: readonly ModelLook[];
}

export interface LedgerStatusAnswer {
  readonly node: string;
  readonly origin: string;
  readonly software: string;
  readonly verifierKey: string;
  /** Leaves that are durable. */
  readonly size: number;
  /** Leaves that the newest signed checkpoint covers. */
  readonly signedSize: number;
  readonly status: 'ok' | 'halted';
  readonly reason?: string;
}

export interface ShredAnswer {
  readonly session: string;
  /** The `ledger.shred` leaf. */
  readonly leaf: number;
}

export interface BackupAnswer {
  readonly backupId: string;
  readonly directory: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly parts: readonly string[];
  readonly leaf: number;
}

/** Why what was recorded cannot be decided on again. */
export type Undecidable =
  | 'shredded'
  | 'spooled'
  | 'no-text'
  | 'prepared-before'
  | 'rows-unknown'
  | 'unknown-session';

/** An operation about which the other policy says something else. */
export interface ReplayedRow {
  /** Index of its intent. */
  readonly leaf: number;
  readonly at: string;
  readonly session: string;
  readonly name: string;
  readonly connection: string;
  /** `allow`, `hold` or `block`, as it was. */
  readonly recorded: string;
  readonly decided: string;
  /** Absent for what has no text. */
  readonly sql?: string;
  readonly causes: readonly {
    readonly rule: string;
    readonly version: number;
    readonly verdict: string;
    readonly what: string;
    /** Bytes of the text. */
    readonly from: number;
    readonly to: number;
  }[];
}

export interface PolicyReplayAnswer {
  /** Digest of the policy that decided here. */
  readonly policy: string;
  /** Operations of this page, and how many of them are decided as they were. */
  readonly statements: number;
  readonly same: number;
  readonly different: readonly ReplayedRow[];
  readonly undecidable: Readonly<Record<Undecidable, number>>;
  /** Give it as `from` for those that follow; absent at the end. */
  readonly next?: number;
}
