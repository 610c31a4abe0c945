/** Who may import whom, and the other rules of the house that a tool can hold. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PIPELINE } from '../packages/gateway/src/session/pipeline.ts';
import { circles, type House, type SourceFile, violations } from './architecture-rules.ts';

/**
 * The table. `package:ledger` is `@countersign/ledger`; `type:api` is `import type` and nothing else.
 * Edges that DESIGN.md does not have say why they are here.
 */
const HOUSE: House = {
  rooms: {
    core: [],
    // How a worker thread is started, which is the same for every room that has one.
    threads: ['core'],
    // What Node's own calls on files do wrong.
    files: [],
    config: ['core'],
    store: may('core config'),
    keys: may('core config store'),
    protocols: ['core'],
    sql: ['core'],
    policy: may('core sql'),
    masking: ['core'],
    // An SQL text with its literals hidden: what stands in it is told by the tokens of sql and the detectors.
    literals: may('core sql masking'),
    audit: may('core threads files store keys package:ledger'),
    // Ledger: what an approval is bound to is digested over JCS, and a start reads leaves back.
    approvals: may('core store audit package:ledger'),
    // Protocols: SCRAM verifiers are made where tokens are.
    identity: may('core config store keys audit protocols'),
    // Ledger: digests of resources are over JCS. Protocols: the dialects that a Connection of HTTP may name.
    resources: may('core config store keys protocols policy masking audit approvals package:ledger'),
    upstream: may('core config store keys protocols'),
    // Protocols: a replay reads the frames that were recorded.
    recording: may('core threads files store keys protocols'),
    // Threads: long texts are read in threads that may be ended.
    session: may(
      'core config threads store keys protocols sql policy masking audit approvals identity resources upstream recording literals',
    ),
    // What policy would say, decided by the parts that decide in a session: for the command line without a
    // gateway, and for the API about what was recorded.
    // Protocols: what a request over HTTP does is read there, by a function and not by a session.
    rehearsal: may('core protocols policy resources session'),
    // Masks as they reach somebody, asked of a target with the gateway's own credential.
    preview: may('core protocols sql masking upstream'),
    // What Masks hide, shown when others agreed: over resources, approvals, keys and the log.
    reveal: may('core keys masking policy audit approvals resources package:ledger'),
    // What Masks of the mode server-role need of a target, asked of it as a preview is.
    'server-role': may('core sql masking upstream preview'),
    // What a model behind a connection says of itself and how it answers, asked with the gateway's own credential.
    // Ledger: answers are compared there, by the function that a verifier has.
    probes: may('core store protocols upstream package:ledger'),
    listeners: may('core config identity protocols session'),
    // Verify: the package carries its verifier, and the export says that it verified.
    evidence: may(
      'core threads files store keys identity resources masking literals recording audit approvals package:ledger package:verify',
    ),
    notify: may('core config'),
    telemetry: may('core config'),
    // Ledger: a proof of a leaf is made of the log's own parts.
    // Rehearsal: a changed policy is replayed over what was recorded.
    api: may(
      'core store identity resources approvals recording audit evidence session rehearsal preview literals reveal server-role probes package:ledger',
    ),
    // Verify: `countersign verify` is the code of `countersign-verify`.
    // Recording: what was recorded is shown as tables, and must not steer the terminal.
    // Policy, resources, rehearsal, session: `countersign policy test` decides without a gateway, with the same
    // rules, the same view of resources and the same reader of SQL.
    cli: may(
      'core config files keys store policy audit resources recording session rehearsal type:api package:ledger package:verify',
    ),
    // What main opens and in which order: a room only so that main stays a page.
    // Masking: the ring of the masking keys is made where they are opened.
    wiring: may(
      'core config files store keys policy masking audit identity resources approvals upstream recording session listeners preview reveal server-role probes evidence notify api package:ledger',
    ),
  },
  packages: {
    ledger: [],
    verify: ['node:', 'package:ledger'],
    gateway: ['node:', 'package:ledger', 'package:verify'],
  },
  pure: {
    core: [],
    protocols: ['node:crypto'],
    sql: [],
    policy: [],
    // HMAC and HKDF, of keys and values that come in as arguments.
    masking: ['node:crypto'],
    literals: [],
    ledger: [],
  },
  independent: ['core', 'protocols', 'policy', 'ledger', 'verify'],
};

/** A row of the table: names of rooms, and what else may be imported. */
function may(names: string): readonly string[] {
  return names.split(' ');
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

async function readSources(): Promise<readonly SourceFile[]> {
  const packages = await readdir(join(ROOT, 'packages'));
  const sources = await Promise.all(
    packages.map(async (name) => {
      const src = join(ROOT, 'packages', name, 'src');
      const files = existsSync(src) ? await readdir(src, { recursive: true }) : [];
      const paths = files.filter(
        (file) => file.endsWith('.ts') && !/(\.test\.ts|(^|\/)testing-[^/]+)$/.test(file),
      );
      return Promise.all(
        paths.map(async (file) => ({
          path: `packages/${name}/src/${file}`,
          text: await readFile(join(src, file), 'utf8'),
        })),
      );
    }),
  );
  return sources.flat();
}

describe('the house', () => {
  it('keeps its rules in every file', async () => {
    const files = await readSources();
    expect(files.length).toBeGreaterThan(50);
    expect(violations(files, HOUSE)).toEqual([]);
  });

  it('has a table without circles', () => {
    expect(circles(HOUSE.rooms)).toEqual([]);
    expect(circles({ a: ['b'], b: ['c'], c: ['b'] })).toEqual(['b', 'c']);
  });

  it('has every file that the pipeline names', () => {
    const named = PIPELINE.flatMap(({ postgres, http }) => [postgres, http]).filter((file) => file !== '—');
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !existsSync(join(ROOT, 'packages/gateway/src', file)))).toEqual([]);
  });
});

const GATEWAY = 'packages/gateway/src';

/** Where, what stands there, and what must be said about it; an empty string: nothing. */
const PLANTED: readonly (readonly [path: string, text: string, says: string])[] = [
  // Between rooms.
  [`${GATEWAY}/core/x.ts`, "import { a } from '../store/store.ts';", '"core" may not import "store"'],
  [`${GATEWAY}/core/x.ts`, "import type { A } from '../store/store.ts';", '"core" may not import "store"'],
  [`${GATEWAY}/core/x.ts`, "export * from '../store/store.ts';", '"core" may not import "store"'],
  [`${GATEWAY}/core/x.ts`, "await import('../store/store.ts');", '"core" may not import "store"'],
  [`${GATEWAY}/core/x.ts`, "type A = import('../store/store.ts').A;", '"core" may not import "store"'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { a } from '../../session/a.ts';", 'may not import "session"'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { a } from '../other/a.ts';", ''],
  [`${GATEWAY}/session/x.ts`, "import { a } from '../audit/a.ts';", ''],
  [`${GATEWAY}/core/x.ts`, "import { a } from '../main.ts';", '"core" may not import "main"'],
  [`${GATEWAY}/main.ts`, "import { a } from './audit/a.ts';", ''],
  [`${GATEWAY}/cli/x.ts`, "import type { A } from '../api/a.ts';", ''],
  [`${GATEWAY}/cli/x.ts`, "import { a } from '../api/a.ts';", '"cli" may not import "api"'],
  [`${GATEWAY}/cellar/x.ts`, "import { a } from '../core/a.ts';", '"cellar" is not a room'],
  [`${GATEWAY}/core/x.ts`, "// import { a } from '../store/store.ts';", ''],
  [`${GATEWAY}/core/x.ts`, 'const a = "import { a } from \'../store/store.ts\'";', ''],
  // Between packages.
  [`${GATEWAY}/audit/x.ts`, "import { a } from '@countersign/ledger/merkle';", ''],
  [
    `${GATEWAY}/store/x.ts`,
    "import { a } from '@countersign/ledger/merkle';",
    'may not import @countersign/',
  ],
  [`${GATEWAY}/audit/x.ts`, "import { a } from '../../../ledger/src/a.ts';", 'reaches out of its package'],
  ['packages/ledger/src/x.ts', "import { a } from 'node:crypto';", '"ledger" may not import node:crypto'],
  ['packages/ledger/src/x.ts', "import { a } from 'canonicalize';", 'has no dependencies'],
  ['packages/verify/src/x.ts', "import { a } from '@countersign/ledger/merkle';", ''],
  ['packages/verify/src/x.ts', "import { a } from 'node:fs';", ''],
  ['packages/verify/src/x.ts', "import { a } from 'countersign/core/a';", 'has no dependencies'],
  ['packages/verify/src/x.ts', "import { a } from 'yauzl';", 'has no dependencies'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import pg from 'pg';", 'has no dependencies, but imports pg'],
  // Purity.
  [`${GATEWAY}/protocols/pg/x.ts`, "import { connect } from 'node:net';", 'is pure, but imports node:net'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { a } from 'node:fs/promises';", 'is pure, but imports node:fs'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { a } from 'node:timers';", 'is pure, but imports node:timers'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { createHash } from 'node:crypto';", ''],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { randomBytes } from 'node:crypto';", 'imports randomBytes'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import { randomBytes as b } from 'node:crypto';", 'imports randomBytes'],
  [`${GATEWAY}/protocols/pg/x.ts`, "import * as crypto from 'node:crypto';", 'imports *'],
  [`${GATEWAY}/core/x.ts`, 'const a = Date.now();', 'is pure, but uses Date.now'],
  [`${GATEWAY}/core/x.ts`, "const a = Date['now']();", 'is pure, but uses Date.now'],
  [`${GATEWAY}/core/x.ts`, 'const a = new Date();', 'asks what time it is'],
  [`${GATEWAY}/core/x.ts`, 'const a = new Date(3);', ''],
  [`${GATEWAY}/core/x.ts`, 'const a = Math.random();', 'is pure, but uses Math.random'],
  [`${GATEWAY}/core/x.ts`, 'setTimeout(() => 1, 1);', 'is pure, but calls setTimeout'],
  [`${GATEWAY}/audit/x.ts`, 'setTimeout(() => Date.now(), 1);', ''],
  ['packages/ledger/src/x.ts', 'const a = crypto.getRandomValues(b);', 'uses crypto.getRandomValues'],
  // Shape.
  [`${GATEWAY}/audit/x.ts`, 'export default 3;', 'has a default export'],
  [`${GATEWAY}/audit/x.ts`, "import { a } from './a';", 'without its extension'],
  [`${GATEWAY}/audit/x.ts`, "import { a } from './a.js';", 'without its extension'],
  [`${GATEWAY}/audit/x.ts`, "import { a } from './testing-room.ts';", 'imports what only tests may'],
  [`${GATEWAY}/audit/index.ts`, "export * from './a.ts';", 'is a barrel'],
  [`${GATEWAY}/audit/LeafWriter.ts`, 'export const a = 1;', 'expected a kebab-case name'],
  [`${GATEWAY}/audit/x.ts`, '// A line.\n'.repeat(501), 'expected at most 500 lines, got 501'],
  [`${GATEWAY}/audit/x.ts`, '// A line.\n'.repeat(500), ''],
  [`${GATEWAY}/main.ts`, '// A line.\n'.repeat(100), 'expected at most 99 lines, got 100'],
];

const HARMLESS = PLANTED.filter(([, , says]) => says === '');
const HARMFUL = PLANTED.filter(([, , says]) => says !== '');

describe('a planted violation', () => {
  it.each(HARMFUL.map((row) => [excerpt(row[1]), ...row] as const))('is found: %s', (_, path, text, says) => {
    expect(violations([{ path, text }], HOUSE).join('\n')).toContain(says);
  });
});

describe('what only looks like a violation', () => {
  it.each(HARMLESS.map((row) => [excerpt(row[1]), ...row] as const))('is let be: %s', (_, path, text) => {
    expect(violations([{ path, text }], HOUSE)).toEqual([]);
  });
});

function excerpt(text: string): string {
  return text.split('\n').slice(0, 1).join('');
}
