/** What leaves the gateway as a whole: evidence packages and backups; and whether it is well. */

import { open, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { Type } from 'typebox';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { BackupAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import { parseMoment } from './moments.ts';
import type { ApiPorts, ExportedPackage } from './ports.ts';
import { type Route, route } from './route.ts';
import { counts, list, moment, object, reason, STRICT, text, texts } from './schemas.ts';
import type { Caller } from './who-may.ts';

/** How many packages each gateway builds now. */
const building = new WeakMap<ApiPorts, number>();

interface Period {
  readonly fromUs: number;
  readonly toUs: number;
  readonly reason: string;
}

const exportPackage = route({
  key: 'POST /v1/evidence/export',
  summary: 'Everything about a period as a package that verifies offline; the leaf names its SHA-256',
  body: Type.Object({ from: moment('From'), to: moment('Up to, not with'), reason: reason() }, STRICT),
  answer: { contentType: 'application/zip', description: 'The package.' },
  async handle(input): Promise<unknown> {
    const { ports, body, reply } = input;
    const period = {
      fromUs: parseMoment(body.from),
      toUs: parseMoment(body.to),
      reason: body.reason.toWellFormed(),
    };
    if (period.fromUs >= period.toUs) {
      throw new CountersignError('REQUEST_INVALID', { reason: 'expected "from" before "to"' });
    }
    const random = Buffer.from(ports.randomBytes(16)).toString('hex');
    const file = join(ports.temporaryDirectory, `export-${random}.zip`);
    try {
      const made = await oneAtATime(ports, () => build(ports, input.caller(), period, file));
      // Opened before it is removed: whatever ends the request, nothing is left.
      const handle = await open(file, 'r');
      reply.header('content-type', 'application/zip');
      reply.header('content-disposition', `attachment; filename="${fileName(period)}"`);
      reply.header('x-countersign-package', made.packageId);
      reply.header('x-countersign-sha256', made.sha256);
      reply.header('content-length', made.bytes);
      return handle.createReadStream({ autoClose: true });
    } finally {
      await rm(file, { force: true });
    }
  },
});

const backup = route({
  key: 'POST /v1/backup',
  summary: 'Copy store, ledger, recordings and keys to a directory of the machine of the gateway',
  body: Type.Object(
    { directory: text(4_096, 'Absolute path of a directory that does not exist yet') },
    STRICT,
  ),
  answer: object({
    ...texts('backupId directory sha256'),
    ...counts('bytes leaf'),
    parts: list(Type.String()),
  }),
  async handle(input): Promise<BackupAnswer> {
    const { ports, body } = input;
    const { principal } = input.caller();
    if (!isAbsolute(body.directory)) {
      throw new CountersignError('REQUEST_INVALID', { reason: 'expected an absolute path' });
    }
    const actor = await actorOf(ports, principal);
    const event = { type: 'backup.create', ...actor };
    const common = { requested_by: principal.name };
    const made = await orFailedLeaf(ports, { ...event, body: common }, () => ports.backup(body.directory));
    const { backupId, sha256, bytes, parts } = made;
    const { index: leaf } = await ports.ledger.append({
      ...event,
      status: 'ok',
      body: { ...common, backup_id: backupId, sha256, bytes, parts: [...parts] },
    });
    return { backupId, directory: body.directory, sha256, bytes, parts, leaf };
  },
});

const health = route({
  key: 'GET /healthz',
  summary: 'Whether statements can be forwarded',
  answer: object(texts('status')),
  async handle({ ports }): Promise<{ readonly status: string }> {
    if (ports.ledger.halted === undefined) return { status: 'ok' };
    // Everybody may ask, so that the reason, which may name a path, stays inside.
    throw new CountersignError('LEDGER_HALTED', { reason: 'the gateway knows why' });
  },
});

export const EVIDENCE_ROUTES: readonly Route[] = [exportPackage, backup, health];

async function build(
  ports: ApiPorts,
  { principal }: Caller,
  period: Period,
  file: string,
): Promise<ExportedPackage> {
  const { fromUs, toUs } = period;
  const common = {
    from: formatTimeUs(fromUs),
    to: formatTimeUs(toUs),
    requested_by: principal.name,
    reason: period.reason,
  };
  const event = { type: 'evidence.export', ...(await actorOf(ports, principal)), body: common };
  const made = await orFailedLeaf(ports, event, () => ports.exportEvidence({ fromUs, toUs, file }));
  await ports.ledger.append({
    ...event,
    status: 'ok',
    body: {
      ...common,
      package_id: made.packageId,
      sha256: made.sha256,
      bytes: made.bytes,
      checkpoint_start: made.checkpointStart,
      checkpoint_end: made.checkpointEnd,
    },
  });
  await remember(ports, principal.name, period, made);
  return made;
}

/** The same period of the same log is the same package, which may be asked for twice. */
async function remember(ports: ApiPorts, name: string, period: Period, made: ExportedPackage): Promise<void> {
  await ports.store.db
    .insertInto('packages')
    .values({
      id: made.packageId,
      from_us: period.fromUs,
      to_us: period.toUs,
      created_us: ports.clock.nowUs(),
      requested_by: name,
      sha256: made.sha256,
      bytes: made.bytes,
      file: fileName(period),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

async function orFailedLeaf<T>(ports: ApiPorts, event: LedgerEvent, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    ports.onError(
      new CountersignError('INTERNAL', {}, { cause: thrown }),
      `${event.type}: ${reasonOf(thrown)}`,
    );
    await ports.ledger.append({ ...event, status: 'failed' });
    throw thrown;
  }
}

async function oneAtATime<T>(ports: ApiPorts, run: () => Promise<T>): Promise<T> {
  const count = building.get(ports) ?? 0;
  const { exportsMax: allowed } = LIMITS.api;
  if (count >= allowed) {
    throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed, what: 'exports that are being built' });
  }
  building.set(ports, count + 1);
  try {
    return await run();
  } finally {
    building.set(ports, (building.get(ports) ?? 1) - 1);
  }
}

function fileName({ fromUs, toUs }: Period): string {
  return `countersign-evidence-${compact(fromUs)}-${compact(toUs)}.zip`;
}

function compact(us: number): string {
  return formatTimeUs(us).slice(0, 19).replaceAll(/[-:]/g, '');
}
