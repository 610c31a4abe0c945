/**
 * The admin API: what changes which model answers.
 *
 * GET    /admin/models                                       all, with versions and digests
 * GET    /admin/models/{name}                                one
 * GET    /admin/models/{name}/versions/{version}             one version
 * GET    /admin/models/{name}/versions/{version}/parameters  its file, byte for byte
 * PUT    /admin/models/{name}/versions/{version}             takes a parameter file in
 * DELETE /admin/models/{name}/versions/{version}             removes one that was uploaded and is not active
 * POST   /admin/models/{name}/activate                       { "version", "digest"? }: has it answer from now on
 *
 * Errors: `{ "error": { "code", "message" } }`.
 */

import { bodyOf, optionalTextOf, textOf } from './fields.ts';
import type { Model, Models, ModelVersion } from './models.ts';
import { PARAMETER_BYTES_MAX } from './parameters.ts';
import { Problem, STATUSES } from './problem.ts';

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  /** Reads the body, up to that many bytes. */
  readonly bytes: (bytesMax: number) => Promise<Uint8Array>;
}

export interface AdminAnswer {
  readonly status: number;
  /** Bytes go out as they are. */
  readonly body: unknown;
}

type Verb = (models: Models, names: readonly string[], request: AdminRequest) => Promise<AdminAnswer>;

interface Route {
  readonly pattern: RegExp;
  readonly verbs: Readonly<Record<string, Verb>>;
}

const NAME = '([^/]+)';
const ROUTES: readonly Route[] = [
  { pattern: /^\/admin\/models$/, verbs: { GET: list } },
  { pattern: new RegExp(`^/admin/models/${NAME}$`), verbs: { GET: show } },
  { pattern: new RegExp(`^/admin/models/${NAME}/activate$`), verbs: { POST: activate } },
  { pattern: new RegExp(`^/admin/models/${NAME}/versions$`), verbs: { GET: showVersions } },
  {
    pattern: new RegExp(`^/admin/models/${NAME}/versions/${NAME}$`),
    verbs: { GET: showVersion, PUT: upload, DELETE: remove },
  },
  {
    pattern: new RegExp(`^/admin/models/${NAME}/versions/${NAME}/parameters$`),
    verbs: { GET: showParameters },
  },
];

/** @throws Problem */
export async function administer(models: Models, request: AdminRequest): Promise<AdminAnswer> {
  for (const { pattern, verbs } of ROUTES) {
    const names = pattern.exec(request.path)?.slice(1);
    if (names === undefined) continue;
    const verb = Object.hasOwn(verbs, request.method) ? verbs[request.method] : undefined;
    if (verb === undefined) throw new Problem('no-method', `Expected ${Object.keys(verbs).join(', ')}.`);
    return verb(models, names, request);
  }
  throw new Problem('no-route', `There is nothing at ${request.path}.`);
}

export function refuseAdmin({ kind, message }: Problem): AdminAnswer {
  const status = kind === 'invalid' ? 422 : STATUSES[kind];
  return { status, body: { error: { code: kind.replaceAll('-', '_'), message } } };
}

async function list(models: Models): Promise<AdminAnswer> {
  return { status: 200, body: { models: models.list().map(describe) } };
}

async function show(models: Models, [name = '']: readonly string[]): Promise<AdminAnswer> {
  return { status: 200, body: describe(models.model(name)) };
}

async function showVersions(models: Models, [name = '']: readonly string[]): Promise<AdminAnswer> {
  return { status: 200, body: { versions: models.versions(name).map(describeVersion) } };
}

async function showVersion(
  models: Models,
  [name = '', version = '']: readonly string[],
): Promise<AdminAnswer> {
  const found = models.version(name, version);
  return { status: 200, body: { ...describeVersion(found), parameters: found.parameters } };
}

async function showParameters(
  models: Models,
  [name = '', version = '']: readonly string[],
): Promise<AdminAnswer> {
  return { status: 200, body: models.version(name, version).bytes };
}

async function upload(
  models: Models,
  [name = '', version = '']: readonly string[],
  request: AdminRequest,
): Promise<AdminAnswer> {
  const outcome = await models.add(name, version, await request.bytes(PARAMETER_BYTES_MAX));
  const body = describeVersion(models.version(name, version));
  return { status: outcome === 'added' ? 201 : 200, body };
}

async function remove(models: Models, [name = '', version = '']: readonly string[]): Promise<AdminAnswer> {
  await models.remove(name, version);
  return { status: 204, body: undefined };
}

async function activate(
  models: Models,
  [name = '']: readonly string[],
  request: AdminRequest,
): Promise<AdminAnswer> {
  const body = bodyOf(await request.bytes(PARAMETER_BYTES_MAX));
  const digest = optionalTextOf(body, 'digest');
  const { before, after } = await models.activate(name, textOf(body, 'version'), digest);
  const previous = before === undefined ? null : describeVersion(before);
  return { status: 200, body: { ...describeVersion(after), previous } };
}

function describe({ name, active, activatedAt, versions }: Model): unknown {
  return {
    name,
    version: active.version,
    digest: active.digest,
    activated_at: activatedAt.toISOString(),
    versions: versions.map(describeVersion),
  };
}

function describeVersion({ name, version, digest, bytes, shipped }: ModelVersion): Record<string, unknown> {
  return { name, version, digest, bytes: bytes.length, shipped };
}
