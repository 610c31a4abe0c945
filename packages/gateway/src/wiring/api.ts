/** The HTTP API over the open rooms. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Approvals } from '../approvals/approvals.ts';
import { startApi } from '../api/server.ts';
import type { RunningApi } from '../api/ports.ts';
import type { Config } from '../config/config.ts';
import type { CountersignError } from '../core/errors.ts';
import { makeDirectory } from '../files/make-directory.ts';
import type { ModelProbes } from '../probes/model-probes.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import { backUp } from './backup.ts';
import { evidenceExporter } from './evidence.ts';
import { maskDdlReader, maskPreviewer } from './mask-preview.ts';
import { revealsOf } from './reveals.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';

export interface ApiOptions extends Pick<RoomsOptions, 'env'> {
  readonly sessions: LiveSessions;
  readonly approvals: Approvals;
  readonly models: ModelProbes;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly software: string;
  readonly postgres: { readonly port: number };
  readonly http: { readonly port: number };
  readonly onError: (error: CountersignError, where: string) => void;
}

export async function startConfiguredApi(
  config: Config,
  rooms: Rooms,
  options: ApiOptions,
): Promise<RunningApi> {
  const temporaryDirectory = join(config.data, 'tmp');
  // A package that was being built when the process ended is nobody's.
  await rm(temporaryDirectory, { recursive: true, force: true });
  await makeDirectory(temporaryDirectory);
  return startApi({
    ...rooms,
    ...options,
    listen: config.listen.api,
    baseUrl: config.notify.baseUrl,
    postgresPort: options.postgres.port,
    httpPort: options.http.port,
    clientTls: { mode: config.tls.mode, isSelfSigned: config.tls.files === undefined },
    node: config.node,
    origin: config.origin,
    scopeKeys: rooms.keys,
    recordingsDirectory: config.recording.directory,
    temporaryDirectory,
    reveals: revealsOf(rooms, options.approvals),
    previewMasks: maskPreviewer(rooms, options),
    readMaskDdl: maskDdlReader(rooms, options),
    exportEvidence: evidenceExporter(config, rooms, options),
    backup: async (directory) => {
      await rooms.ledger.checkpoint();
      const summary = await backUp(config, rooms.store, directory);
      return { backupId: `bkp_${summary.sha256.slice(0, 16)}`, ...summary };
    },
  });
}
