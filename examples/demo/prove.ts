/** Exports the evidence of all that happened so far, and verifies it as a stranger would: from the file alone. */

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import type { DemoApi } from './api-client.ts';
import type { DemoEvidence } from './summary.ts';

/** @param token of somebody who may export */
export async function exportAndVerify(
  api: DemoApi,
  token: string,
  verifierKey: string,
  file: string,
): Promise<DemoEvidence> {
  const to = new Date(Date.now() + 1_000).toISOString();
  const from = '2026-01-01T00:00:00Z';
  const answer = await api.raw('POST', '/v1/evidence/export', token, { from, to, reason: 'the demo' });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  await writeFile(file, bytes, { mode: 0o644 });
  await using source = await FileSource.open(file);
  const report = await verifyPackage(source, { host: nodeHost(), vkey: verifierKey });
  return {
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    leaves: (report.endSize ?? 0) - (report.startSize ?? 0),
    verified: report.verdict === 'verified',
    passed: report.checks.filter((check) => check.status === 'passed').length,
    checks: report.checks.length,
    rows: report.rows,
    verifierKey,
  };
}
