/** Commands about what is handed over: evidence packages, their verification, and backups. */

import { createHash } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BackupAnswer } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, JSON_OPTION } from './command.ts';
import { createFile } from './secret-input.ts';

const exportPackage: Command = {
  path: 'evidence export',
  summary: 'Everything about a period as a zip that verifies offline',
  positionals: [],
  options: {
    from: { type: 'string', value: 'TIME', says: 'From: 2026-11-01 or 2026-11-01T00:00:00Z' },
    to: { type: 'string', value: 'TIME', says: 'Up to, not with' },
    out: {
      type: 'string',
      value: 'FILE.zip',
      says: 'Where to write it; a file that is there is not overwritten',
    },
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const body = {
      from: input.required('from'),
      to: input.required('to'),
      reason: input.option('reason') ?? 'none was given',
    };
    const out = resolve(input.required('out'));
    const client = await clientOf(input);
    // Made first, so that nobody waits for a package that cannot be written.
    const target = await createFile(out);
    const partial = `${out}.partial`;
    try {
      await target.close();
      const response = await client.stream('POST', '/v1/evidence/export', { body });
      const { sha256, bytes } = await download(response, partial);
      await rename(partial, out);
      const packageId = response.headers.get('x-countersign-package') ?? '';
      await input.show({ file: out, packageId, sha256, bytes }, [
        `${out}: ${bytes} bytes`,
        `SHA-256 ${sha256}`,
        `Check it: countersign verify ${out}`,
      ]);
      return undefined;
    } catch (error) {
      await rm(partial, { force: true });
      await rm(out, { force: true });
      throw error;
    }
  },
};

const verify: Command = {
  path: 'verify',
  summary: 'Verify an evidence package offline: the code of countersign-verify',
  positionals: ['FILE.zip'],
  options: {
    vkey: { type: 'string', value: 'KEY', says: 'Verifier key of the log, known from elsewhere' },
    ...JSON_OPTION,
  },
  async run(input) {
    const vkey = input.option('vkey');
    // Loaded here, so that no other command waits for it.
    const { runCli } = await import('@countersign/verify/cli');
    const { status, stdout, stderr } = await runCli([
      input.positional(0),
      ...(vkey === undefined ? [] : ['--vkey', vkey]),
      ...(input.json ? ['--json'] : []),
    ]);
    await input.context.print(stdout);
    input.context.warn(stderr);
    return status;
  },
};

const backup: Command = {
  path: 'backup',
  summary: 'Copy store, ledger, recordings and keys to a directory of the machine of the gateway',
  positionals: [],
  options: {
    out: {
      type: 'string',
      value: 'DIR',
      says: 'A directory that does not exist yet, on the machine of the gateway',
    },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const body = { directory: resolve(input.required('out')) };
    const answer = await client.json<BackupAnswer>('POST', '/v1/backup', { body });
    const key = answer.parts.includes('key')
      ? 'The installation key is in it: whoever has this directory can read everything.'
      : 'The installation key is NOT in it: without the key, bodies, recordings and credentials are lost.';
    await input.show(answer, [
      `${answer.directory}: ${answer.bytes} bytes (${answer.parts.join(', ')})`,
      `SHA-256 of backup.json ${answer.sha256}, leaf ${answer.leaf}`,
      key,
    ]);
    return undefined;
  },
};

export const EVIDENCE_COMMANDS: readonly Command[] = [exportPackage, verify, backup];

/** Writes an answer to a file, and holds it against the SHA-256 that the gateway put into the ledger. */
async function download(
  response: Response,
  file: string,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  await using handle = await createFile(file);
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    digest.update(chunk);
    bytes += chunk.length;
    await handle.write(chunk);
  }
  await handle.sync();
  const sha256 = digest.digest('hex');
  if (sha256 === response.headers.get('x-countersign-sha256')) return { sha256, bytes };
  throw new CountersignError('SERVER_UNREACHABLE', {
    server: new URL(response.url).origin,
    reason: 'what arrived does not have the SHA-256 that the gateway announced',
  });
}
