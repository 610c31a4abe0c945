/**
 * The rules of the house, as pure functions over files: what `architecture.test.ts` applies to the
 * repository, and to planted violations that prove that each rule bites.
 */

import { posix } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

export interface SourceFile {
  /** From the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface House {
  /** Room of the gateway → what it may import: rooms, `type:<room>`, `package:<name>`. */
  readonly rooms: Readonly<Record<string, readonly string[]>>;
  /** Package → what it may import: packages, `node:`. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** Rooms and packages without time, randomness, sockets and files; and what of Node they may have. */
  readonly pure: Readonly<Record<string, readonly string[]>>;
  /** Rooms and packages without dependencies. */
  readonly independent: readonly string[];
}

const LINES_MAX = 500;
/** What main opens, and in which order, is one page. */
const MAIN = 'packages/gateway/src/main.ts';
const MAIN_LINES_MAX = 99;

/** Functions of node:crypto that make something out of nothing. */
const RANDOM = new Set([
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'webcrypto',
]);
const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']);
const IMPURE_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'process.env',
  'crypto.getRandomValues',
  'crypto.randomUUID',
  'globalThis.setTimeout',
]);

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly names: readonly string[];
}

/** Every violation in these files, as `path: sentence`. */
export function violations(files: readonly SourceFile[], house: House): readonly string[] {
  return files.flatMap((file) => {
    const nodes = [...walk(parseAst(file.text, { lang: 'ts' }, file.path))];
    const place = placeOf(file.path);
    const found = [
      ...shapeViolations(file, nodes),
      ...importsOf(nodes).flatMap((imported) => importViolations(file, place, imported, house)),
      ...(place.room in house.pure || place.pkg in house.pure ? purityViolations(nodes) : []),
    ];
    return [...new Set(found)].map((sentence) => `${file.path}: ${sentence}`);
  });
}

/** Rooms that can reach themselves by the table; a table with one has no reading order. */
export function circles(table: House['rooms']): readonly string[] {
  function reach(room: string, seen: ReadonlySet<string>): ReadonlySet<string> {
    let all = seen;
    for (const next of table[room] ?? []) {
      if (!all.has(next)) all = reach(next, new Set([...all, next]));
    }
    return all;
  }
  return Object.keys(table).filter((room) => reach(room, new Set()).has(room));
}

interface Place {
  /** `ledger`, `gateway`, `verify`. */
  readonly pkg: string;
  /** First folder below src of the gateway; `main` for what lies in src itself; empty elsewhere. */
  readonly room: string;
}

function placeOf(path: string): Place {
  const [, pkg = '', , first = '', more] = path.split('/');
  if (pkg !== 'gateway') return { pkg, room: '' };
  return { pkg, room: more === undefined ? 'main' : first };
}

function shapeViolations(file: SourceFile, nodes: readonly Node[]): readonly string[] {
  const name = posix.basename(file.path);
  const lines = file.text.split('\n').length - 1;
  const linesMax = file.path === MAIN ? MAIN_LINES_MAX : LINES_MAX;
  return [
    ...(lines > linesMax ? [`expected at most ${linesMax} lines, got ${lines}`] : []),
    ...(name === 'index.ts' ? ['is a barrel'] : []),
    ...(/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(name) ? [] : ['expected a kebab-case name']),
    ...(nodes.some(({ type }) => type === 'ExportDefaultDeclaration') ? ['has a default export'] : []),
  ];
}

function importViolations(file: SourceFile, place: Place, imported: Import, house: House): readonly string[] {
  const { specifier } = imported;
  if (specifier.startsWith('.')) return relativeViolations(file, place, imported, house);
  return [
    ...packageViolations(place, specifier, house),
    ...pureImportViolations(house.pure[place.room] ?? house.pure[place.pkg], imported),
  ];
}

function relativeViolations(
  file: SourceFile,
  place: Place,
  imported: Import,
  house: House,
): readonly string[] {
  const { specifier, typeOnly } = imported;
  if (!/\.(ts|json)$/.test(specifier)) return [`imports ${specifier} without its extension`];
  // Such files may import as tests do, so that nothing but tests may import them.
  if (posix.basename(specifier).startsWith('testing-')) return [`imports what only tests may: ${specifier}`];
  const target = posix.join(posix.dirname(file.path), specifier);
  const to = placeOf(target);
  if (to.pkg !== place.pkg || !target.startsWith(`packages/${place.pkg}/src/`)) {
    return [`reaches out of its package: ${specifier}`];
  }
  if (place.pkg !== 'gateway' || to.room === place.room || place.room === 'main') return [];
  const allowed = house.rooms[place.room];
  if (allowed === undefined) return [`"${place.room}" is not a room of the table`];
  if (allowed.includes(to.room) || (typeOnly && allowed.includes(`type:${to.room}`))) return [];
  return [`"${place.room}" may not import "${to.room}" (${specifier})`];
}

function packageViolations(place: Place, specifier: string, house: House): readonly string[] {
  const inPackage = house.packages[place.pkg] ?? [];
  if (specifier.startsWith('node:')) {
    return inPackage.includes('node:') ? [] : [`"${place.pkg}" may not import ${specifier}`];
  }
  const [scope = '', second = ''] = specifier.split('/');
  const name = scope.startsWith('@') ? `${scope}/${second}` : scope;
  if (name.startsWith('@countersign/')) {
    const allowed = place.pkg === 'gateway' && place.room !== 'main' ? house.rooms[place.room] : inPackage;
    const wanted = name.replace('@countersign/', 'package:');
    return allowed?.includes(wanted) ? [] : [`"${place.room || place.pkg}" may not import ${name}`];
  }
  const independent = house.independent.includes(place.room) || house.independent.includes(place.pkg);
  return independent ? [`"${place.room || place.pkg}" has no dependencies, but imports ${name}`] : [];
}

function pureImportViolations(allowed: readonly string[] | undefined, imported: Import): readonly string[] {
  if (allowed === undefined || !imported.specifier.startsWith('node:')) return [];
  if (!allowed.includes(imported.specifier)) return [`is pure, but imports ${imported.specifier}`];
  const random = imported.names.filter((name) => RANDOM.has(name) || name === '*');
  return random.map((name) => `is pure, but imports ${name} of ${imported.specifier}`);
}

function purityViolations(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => {
    const callee = isNode(node['callee']) ? textOf(node['callee']) : '';
    if (node.type === 'CallExpression' && TIMERS.has(callee)) return [`is pure, but calls ${callee}`];
    const called = node.type === 'NewExpression' || node.type === 'CallExpression';
    if (called && callee === 'Date' && Array.isArray(node['arguments']) && node['arguments'].length === 0) {
      return ['is pure, but asks what time it is (Date without an argument)'];
    }
    const member = textOf(node);
    return IMPURE_MEMBERS.has(member) ? [`is pure, but uses ${member}`] : [];
  });
}

/** `Date`, `Date.now`; empty for everything else. */
function textOf(node: Node): string {
  if (node.type === 'Identifier') return typeof node['name'] === 'string' ? node['name'] : '';
  if (node.type !== 'MemberExpression' || !isNode(node['object']) || !isNode(node['property'])) return '';
  const property = node['property'];
  // Date['now'] is the same as Date.now.
  const name = property.type === 'Literal' ? String(property['value']) : textOf(property);
  return `${textOf(node['object'])}.${name}`;
}

function importsOf(nodes: readonly Node[]): readonly Import[] {
  return nodes.flatMap((node) => {
    const source = node['source'];
    if (!isNode(source) || typeof source['value'] !== 'string') return [];
    const kind = node['importKind'] ?? node['exportKind'];
    return [
      {
        specifier: source['value'],
        typeOnly: kind === 'type' || node.type === 'TSImportType',
        names: namesOf(node),
      },
    ];
  });
}

function namesOf(node: Node): readonly string[] {
  if (node.type === 'ImportExpression' || node.type === 'ExportAllDeclaration') return ['*'];
  const specifiers: unknown[] = Array.isArray(node['specifiers']) ? node['specifiers'] : [];
  return specifiers.filter(isNode).map((specifier) => {
    const name = specifier['imported'] ?? specifier['local'];
    return specifier.type === 'ImportSpecifier' || specifier.type === 'ExportSpecifier'
      ? textOf(isNode(name) ? name : specifier)
      : '*';
  });
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const item of value) yield* walk(item);
    return;
  }
  if (!isNode(value)) return;
  yield value;
  for (const key of Object.keys(value)) yield* walk(value[key]);
}
