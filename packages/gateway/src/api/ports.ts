/** What the API needs of the other rooms; wired in main. */

import type { Approvals } from '../approvals/approvals.ts';
import type { LogReader } from '../audit/log-reader.ts';
import type { Clock } from '../core/clock.ts';
import type { CountersignError } from '../core/errors.ts';
import type { LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import type { IdentityRoom } from '../identity/identity.ts';
import type { MaskPreview } from '../preview/mask-preview.ts';
import type { Reveals } from '../reveal/reveals.ts';
import type { MaskDdl } from '../server-role/read-ddl.ts';
import type { ModelProbes } from '../probes/model-probes.ts';
import type { Resources } from '../resources/resources.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import type { SqlReader } from '../session/sql-reader.ts';
import type { Store } from '../store/store.ts';

/** The ledger as the API uses it; the class Ledger of the room audit has this shape. */
export interface ApiLedger extends LedgerPort {
  /** Leaves that are durable. */
  readonly size: number;
  readonly verifierKey: string;
  readonly halted: CountersignError | undefined;
  /** A signed checkpoint over all that is durable. */
  checkpoint(): Promise<string>;
  /** The writer forgets the key of a scope. */
  closeScope(keyId: string): void;
}

/** A period: from its first microsecond to the one before `toUs`. */
export interface ExportRequest {
  readonly fromUs: number;
  readonly toUs: number;
  /** A path that does not exist yet; the package is there when the promise resolves. */
  readonly file: string;
}

export interface ExportedPackage {
  readonly packageId: string;
  /** Of the zip, 64 hex digits. */
  readonly sha256: string;
  readonly bytes: number;
  readonly leaves: number;
  /** Sizes of the log at both ends. */
  readonly checkpointStart: number;
  readonly checkpointEnd: number;
}

export interface CreatedBackup {
  readonly backupId: string;
  /** Of the backup's own manifest, 64 hex digits. */
  readonly sha256: string;
  readonly bytes: number;
  /** Names of what was copied: `store`, `ledger`, … */
  readonly parts: readonly string[];
}

/** Where, and for whom: for everybody where no person is given. */
export interface MaskPreviewRequest {
  readonly connection: string;
  /** That of the connection where none is given. */
  readonly database: string | undefined;
  readonly person: string | undefined;
}

export type MaskPreviewer = (request: MaskPreviewRequest) => Promise<MaskPreview>;

/** Where, and for which role: that of the credential where none is given. */
export interface MaskDdlRequest {
  readonly connection: string;
  readonly database: string | undefined;
  readonly role: string | undefined;
  readonly undo: boolean;
}

export type MaskDdlReader = (request: MaskDdlRequest) => Promise<MaskDdl>;

export interface ApiPorts {
  /** Where to listen; port 0 takes a free one. Loopback unless the operator says otherwise. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Where people reach this API; undefined: where it listens. */
  readonly baseUrl: string | undefined;
  /** Of the PostgreSQL listener. */
  readonly postgresPort: number;
  /** Of the HTTP listener. */
  readonly httpPort: number;
  /** Between clients and both listeners. */
  readonly clientTls: { readonly mode: 'optional' | 'required' | 'off'; readonly isSelfSigned: boolean };
  /** Name of this gateway: `/ledger/<node>/checkpoint`. */
  readonly node: string;
  /** Origin of the ledger. */
  readonly origin: string;
  /** Name and version of this software. */
  readonly software: string;
  readonly store: Store;
  readonly identity: IdentityRoom;
  readonly resources: Resources;
  readonly sessions: LiveSessions;
  /** What sessions learn from what a text does. */
  readonly sql: SqlReader;
  readonly approvals: Approvals;
  readonly ledger: ApiLedger;
  readonly reader: LogReader;
  readonly scopeKeys: ScopeKeys;
  readonly recordingsDirectory: string;
  /** For packages on their way to a client; files in it are removed after their request. */
  readonly temporaryDirectory: string;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  exportEvidence(request: ExportRequest): Promise<ExportedPackage>;
  /** Copies the installation to a directory of this machine that does not exist yet; writes no leaf. */
  backup(directory: string): Promise<CreatedBackup>;
  /** Shows what Masks hide, when others have agreed. */
  readonly reveals: Reveals;
  /** Looks at models, and what was found; each look is a leaf. */
  readonly models: Pick<ModelProbes, 'probe' | 'list' | 'show'>;
  /** Logs in to the target and looks; writes no leaf. */
  readonly previewMasks: MaskPreviewer;
  /** Logs in to the target and reads its catalog; writes no leaf, and changes nothing there. */
  readonly readMaskDdl: MaskDdlReader;
  /** What went wrong inside, for the operator's log; the client hears only the code. */
  readonly onError: (error: CountersignError, request: string) => void;
}

/** The API while it runs. */
export interface RunningApi {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}
