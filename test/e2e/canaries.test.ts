/** Secrets are planted, and then looked for: in every file of the gateway, its errors, its answers and a package. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { writeFile } from 'node:fs/promises';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

const STATEMENT_CANARY = 'canary-in-a-statement-7f3a';

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('planted secrets', () => {
  it('are in no file, no error, no answer and no package; what was asked for opens only with its key', async () => {
    const { gateway, server, data } = harness;
    const { host, port } = gateway.postgres;
    const token = await harness.token('ana');
    await harness.apply('kind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n');
    const adminToken = await harness.token('root');
    const { principals, identity } = gateway.rooms.identity;
    const password = 'correct horse battery staple canary';
    const root = await principals.findByName('root');
    const { code } = await gateway.rooms.identity.enrolment.invite('root');
    const peer = { address: '127.0.0.1', port: 1, client: 'test', tls: 'none' };
    await gateway.rooms.identity.enrolment.enrol(
      code,
      { name: 'root', displayName: 'Root', password: new Secret(password) },
      peer,
    );
    await identity.passwordLogin('root', new Secret(password), peer);
    await gateway.rooms.resources
      .setPassword('db', new Secret('another canary, sealed'), {
        name: 'test',
        kind: 'system',
        keyId: gateway.rooms.bootId,
      })
      .catch(() => undefined);

    const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
    await client.connect();
    await client.query(`select '${STATEMENT_CANARY}'`);
    await client.query('select $1::text', [STATEMENT_CANARY]);
    await expect(client.query(`select '${STATEMENT_CANARY}' from nowhere`)).rejects.toThrow('nowhere');
    await client.end();
    const wrong = new Client({ host, port, user: 'ana', password: 'wrong-canary-password', database: 'db' });
    await expect(wrong.connect()).rejects.toThrow('Authentication failed');
    // Somebody pastes the token where the name belongs.
    const swapped = new Client({ host, port, user: token, password: 'ana', database: 'db' });
    await expect(swapped.connect()).rejects.toThrow('Authentication failed');
    await harness.finishedLog();

    const base = `http://${gateway.api.host}:${gateway.api.port}`;
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const answers: string[] = [];
    for (const path of [
      '/v1/whoami',
      '/v1/tokens?owner=ana',
      '/v1/resources/Connection',
      '/v1/ledger/status',
      '/v1/sessions',
    ]) {
      const answer = await fetch(base + path, { headers });
      answers.push(await answer.text());
      expect(answer.status).toBe(200);
    }
    const bad = await fetch(`${base}/v1/whoami`, { headers: { authorization: `Bearer ${token}x` } });
    answers.push(await bad.text());
    const period = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'canaries' };
    const zip = await fetch(`${base}/v1/evidence/export`, {
      method: 'POST',
      headers,
      body: JSON.stringify(period),
    });
    const file = join(data, 'canaries.zip');
    await writeFile(file, new Uint8Array(await zip.arrayBuffer()));
    await using source = await FileSource.open(file);
    const report = await verifyPackage(source, { host: nodeHost(), vkey: gateway.rooms.ledger.verifierKey });
    expect(report.verdict).toBe('verified');

    const secrets = [
      server.password,
      token,
      adminToken,
      password,
      'wrong-canary-password',
      code.reveal(),
      'another canary, sealed',
    ];
    const everywhere = [...(await filesBelow(join(data, 'gateway'))), file];
    expect(everywhere.length).toBeGreaterThan(10);
    const found: string[] = [];
    for (const path of everywhere) {
      const bytes = await readFile(path);
      for (const secret of secrets)
        if (bytes.includes(secret)) found.push(`${path}: secret ${secrets.indexOf(secret)}`);
      // The text of a statement is in the clear nowhere but in the package, which discloses it.
      if (path !== file && bytes.includes(STATEMENT_CANARY)) found.push(`${path}: the statement`);
    }
    // The zip is compressed: what it discloses is looked for in the bodies themselves.
    const disclosed = JSON.stringify(await harness.log());
    for (const text of [...answers, ...harness.errors, JSON.stringify(root), disclosed]) {
      for (const secret of secrets)
        if (text.includes(secret)) found.push(`an answer or error: secret ${secrets.indexOf(secret)}`);
    }
    expect(found).toEqual([]);
  });
});
