/**
 * A copy of everything a gateway needs to go on elsewhere: key, ledger, recordings, store.
 *
 * The order makes it consistent: the checkpoint is copied before the journal that it covers. Without
 * the installation key the copy keeps its proofs and loses its content: bodies, recordings, credentials.
 */

import { createHash, hash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { makeDirectory } from '../files/make-directory.ts';
import { backupStore } from '../store/backup.ts';
import type { Store } from '../store/store.ts';

const MANIFEST = 'backup.json';

interface BackupManifest {
  readonly version: 1;
  readonly node: string;
  readonly origin: string;
  /** False where the key comes from the environment or a command: whoever restores must bring it. */
  readonly installationKey: boolean;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

export interface BackupSummary {
  readonly sha256: string;
  readonly bytes: number;
  readonly parts: readonly string[];
}

/** Copies a running installation to a directory that does not exist yet. */
export async function backUp(config: Config, store: Store, directory: string): Promise<BackupSummary> {
  if (existsSync(directory))
    throw new CountersignError('REQUEST_INVALID', { reason: `${directory} exists already` });
  const partial = `${directory}.partial`;
  if (existsSync(partial)) {
    const reason = `${partial} is left of a backup that did not come to its end; remove it, or take another name`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
  await makeDirectory(partial);
  const { installationKey, ledger } = config;
  const keyFile = 'file' in installationKey ? installationKey.file : undefined;
  if (keyFile !== undefined) await copyFile(keyFile, join(partial, 'installation.key'));
  await copyFile(ledger.keyFile, join(partial, 'ledger-key.sealed'));
  await mkdir(join(partial, 'ledger'), { mode: 0o700 });
  for (const name of ['checkpoint', 'checkpoints.jsonl', 'journal', 'tile']) {
    await copyTree(join(ledger.directory, name), join(partial, 'ledger', name));
  }
  await copyTree(config.recording.directory, join(partial, 'recordings'));
  if (config.store.kind === 'sqlite') await backupStore(store, join(partial, 'store.sqlite'));
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const path of await listFiles(partial)) files[path] = await fileDigest(join(partial, path));
  const { node, origin } = config;
  const manifest: BackupManifest = {
    version: 1,
    node,
    origin,
    installationKey: keyFile !== undefined,
    files,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFile(join(partial, MANIFEST), text, { mode: 0o600 });
  await rename(partial, directory);
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  const parts = [
    'ledger',
    'recordings',
    ...(keyFile === undefined ? [] : ['key']),
    ...(config.store.kind === 'sqlite' ? ['store'] : []),
  ];
  return { sha256: hash('sha256', text, 'hex'), bytes, parts };
}

/** Puts a backup into an empty data directory, after checking every file of it. */
export async function restore(directory: string, data: string): Promise<BackupSummary> {
  if (existsSync(data) && (await readdir(data)).length > 0) {
    throw new CountersignError('REQUEST_INVALID', { reason: `${data} is not empty` });
  }
  const text = await readFile(join(directory, MANIFEST), 'utf8').catch((error: unknown) => {
    const reason = `${directory} is no backup that can be read (${reasonOf(error)})`;
    throw new CountersignError('REQUEST_INVALID', { reason }, { cause: error });
  });
  const manifest = parseManifest(text);
  for (const [path, expected] of Object.entries(manifest.files)) {
    const found = await fileDigest(join(directory, path));
    if (found.sha256 !== expected.sha256) {
      throw new CountersignError('REQUEST_INVALID', { reason: `${path} is not the file that was backed up` });
    }
  }
  for (const path of Object.keys(manifest.files)) {
    await makeDirectory(dirname(join(data, path)));
    await copyFile(join(directory, path), join(data, path));
  }
  const bytes = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  return {
    sha256: hash('sha256', text, 'hex'),
    bytes,
    parts: [...new Set(Object.keys(manifest.files).map((path) => path.split('/')[0] ?? ''))],
  };
}

function parseManifest(text: string): BackupManifest {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Version and paths are checked below.
  const manifest = JSON.parse(text) as BackupManifest;
  const paths = Object.keys(manifest.files ?? {});
  const escaping = paths.some((path) => path.startsWith('/') || path.split('/').includes('..'));
  if (manifest.version !== 1 || escaping) {
    throw new CountersignError('REQUEST_INVALID', { reason: `${MANIFEST} is not a manifest of version 1` });
  }
  return manifest;
}

async function copyTree(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  if (!(await stat(from)).isDirectory()) {
    await copyFile(from, to);
    return;
  }
  await makeDirectory(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    // Partial tiles come and go while this copies; what is missing is built again from the journal.
    await copyTree(join(from, entry.name), join(to, entry.name)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
}

async function fileDigest(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    digest.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: digest.digest('hex') };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
