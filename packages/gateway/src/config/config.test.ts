import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { loadConfig } from './config.ts';
import { renderConfigReference } from './reference.ts';
import { parseYaml } from './yaml.ts';

const OVERRIDES = { data: '/var/lib/countersign', directory: '/etc/countersign' };

describe('loadConfig', () => {
  it('needs no file', () => {
    expect(loadConfig(undefined, OVERRIDES)).toEqual({
      data: '/var/lib/countersign',
      node: 'gw1',
      origin: 'countersign.local/ledger/gw1',
      listen: {
        postgres: { host: '127.0.0.1', port: 15_432 },
        http: { host: '127.0.0.1', port: 8_441 },
        api: { host: '127.0.0.1', port: 8_440 },
      },
      tls: { mode: 'optional', files: undefined },
      store: { kind: 'sqlite', file: '/var/lib/countersign/store.sqlite' },
      installationKey: { file: '/var/lib/countersign/installation.key' },
      ledger: {
        directory: '/var/lib/countersign/ledger',
        keyFile: '/var/lib/countersign/ledger-key.sealed',
        checkpointDelayMs: 500,
        segmentBytesMax: 67_108_864,
        ballastBytes: 1_048_576,
      },
      checkpoints: { secondPlace: '/var/lib/countersign/second-place' },
      recording: { directory: '/var/lib/countersign/recordings' },
      notify: { baseUrl: undefined, webhooks: [], commands: [] },
    });
    expect(loadConfig('', OVERRIDES)).toEqual(loadConfig(undefined, OVERRIDES));
  });

  it('takes what the file says, paths from its directory, and the command line before it', () => {
    const text = [
      'node: gw-2',
      'listen: { postgres: { port: 1 }, api: { port: 2 } }',
      'tls: { mode: required, cert: c.pem, key: /k.pem }',
      'store: { kind: postgres, url: { env: STORE_URL } }',
      'installationKey: { command: [vault, get] }',
      'checkpoints: { secondPlace: /mnt/second }',
      'notify: { baseUrl: https://gw.example/c/, webhooks: [{ url: https://hooks.example/x, secret: { file: w } }] }',
    ].join('\n');
    const config = loadConfig(text, { ...OVERRIDES, postgresPort: 0 });
    expect(config).toMatchObject({
      origin: 'countersign.local/ledger/gw-2',
      listen: { postgres: { host: '127.0.0.1', port: 0 }, api: { port: 2 } },
      tls: { mode: 'required', files: { cert: '/etc/countersign/c.pem', key: '/k.pem' } },
      store: { kind: 'postgres', url: { env: 'STORE_URL' } },
      installationKey: { command: ['vault', 'get'] },
      checkpoints: { secondPlace: '/mnt/second' },
      notify: {
        baseUrl: 'https://gw.example/c',
        webhooks: [{ url: 'https://hooks.example/x', secret: { file: '/etc/countersign/w' } }],
      },
    });
  });

  const refusals: readonly [string, string][] = [
    ['nodes: a', 'the document has no key "nodes"'],
    ['listen: { postgres: { prt: 1 } }', 'listen.postgres has no key "prt"'],
    ['listen: { postgres: { port: 65536 } }', 'listen.postgres.port must be <= 65535'],
    ['listen: { api: { port: "80" } }', 'listen.api.port must be integer'],
    ['listen: 5', 'listen must be object'],
    [
      'notify: { webhooks: [{ url: http://hooks.example, secret: { env: A } }] }',
      'notify.webhooks needs a URL of https, or of http on loopback, without a password',
    ],
    [
      'notify: { webhooks: [{ url: https://a:b@hooks.example, secret: { env: A } }] }',
      'notify.webhooks needs a URL of https, or of http on loopback, without a password',
    ],
    [
      'notify: { webhooks: [{ url: "http://127.0.0.1.evil.example", secret: { env: A } }] }',
      'notify.webhooks needs a URL of https, or of http on loopback, without a password',
    ],
    ['notify: { commands: [[]] }', 'notify.commands.0 must not have fewer than 1 items'],
    ['tls: { mode: maybe }', 'tls.mode must be one of optional, required, off'],
    ['tls: { cert: a.pem }', 'tls.cert needs "tls.key" beside it'],
    ['installationKey: { env: A, file: b }', 'installationKey must be { file: PATH }, { env: NAME } or'],
    ['installationKey: canary', 'installationKey must be { file: PATH }, { env: NAME } or'],
    ['store: { kind: mysql }', 'store must be { kind: sqlite, file: PATH } or { kind: postgres'],
    ['store: { kind: postgres, url: "postgres://u:canary@h/d" }', 'store.url must be { file: PATH }'],
    ['node: GW', 'node must match ^[a-z0-9]'],
    ['origin: https://x/y', 'origin must match'],
    ['node: a\nnode: b', 'line 2, column 1: Map keys must be unique'],
    ['node: !secret a', 'line 1, column 7: Unresolved tag: !secret'],
    ['node: a\n---\nnode: b', 'the file has more than one document'],
    ['- a', 'the document must be object'],
    ['tls: { mode: off', 'line 1'],
    // What nothing acts on is refused.
    ['log: { level: info }', 'log'],
  ];
  it.each(refusals)('refuses %j and says where', (text, expected) => {
    let thrown: unknown;
    try {
      loadConfig(text, OVERRIDES);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CountersignError);
    expect(thrown).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(thrown)).toContain(expected);
    expect(String(thrown)).not.toContain('canary');
  });
});

describe('loadConfig, given anything', () => {
  it('throws nothing but CONFIG_INVALID', () => {
    const keys = fc.constantFrom(
      'node',
      'listen',
      'postgres',
      'tls',
      'mode',
      'store',
      'kind',
      'url',
      'file',
      'log',
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('gw1', 'postgres', 'sqlite', 'off', 80),
        fc.jsonValue(),
        fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(keys, value), (document) => {
        expect(['', 'CONFIG_INVALID']).toContain(codeOf(JSON.stringify(document)));
      }),
    );
  });
});

function codeOf(text: string): string {
  try {
    loadConfig(text, OVERRIDES);
    return '';
  } catch (error) {
    return error instanceof CountersignError ? error.code : String(error);
  }
}

describe('parseYaml', () => {
  it('refuses a text whose aliases explode', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(parseYaml(lines.join('\n')).kind).toBe('problem');
  });

  it.each([
    'a: 1.5',
    'a: 9007199254740993',
    'a: .nan',
    '? [a]\n: b',
    'a: &a [*a]',
    'a: !!binary aGk=',
    'a: *b',
  ])('refuses %j', (text) => {
    expect(parseYaml(text).kind).toBe('problem');
  });

  it('keeps a key that JavaScript gives a meaning as a key', () => {
    const result = parseYaml('__proto__: { a: 1 }\nconstructor: b');
    expect(JSON.stringify(result)).toContain('"__proto__":{"a":1}');
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(['documents', 'problem']).toContain(parseYaml(text).kind);
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', ': ', '\n', '- ', '&x ', '*x', '{', '}', '!t ', '"', '? ', '<<'), {
          maxLength: 30,
        }),
        (parts) => {
          expect(['documents', 'problem']).toContain(parseYaml(parts.join('')).kind);
        },
      ),
    );
  });

  it('gives back what JSON says', () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(value, (json) => {
        const result = parseYaml(JSON.stringify(json));
        expect(result).toEqual({ kind: 'documents', documents: [JSON.parse(JSON.stringify(json))] });
      }),
    );
  });
});

describe('docs/reference/config.md', () => {
  it('is what the schema says', async () => {
    await expect(renderConfigReference()).toMatchFileSnapshot('../../../../docs/reference/config.md');
  });
});
