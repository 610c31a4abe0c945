/**
 * A synthetic log on disk, in the layout in which a node serves its own, and Go's verdict on it.
 */

import { type KeyObject, sign } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { utf8 } from '@countersign/ledger/bytes';
import { formatCheckpoint } from '@countersign/ledger/checkpoint';
import { formatLeaf } from '@countersign/ledger/leaf';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { formatNote, type VerifierKey } from '@countersign/ledger/note';
import { encodeBundle, newTiles, TILE_WIDTH, tilePath } from '@countersign/ledger/tiles';

const GO_PATH = '/usr/share/gocode';
const PROGRAM = join(import.meta.dirname, 'go/verify-log.go');

/** Why Go cannot judge here; undefined where it can. */
export function whyNoGo(): string | undefined {
  if (goCommand() === undefined) return 'no go in /usr/local/go/bin or /usr/bin';
  if (!existsSync(join(GO_PATH, 'src/golang.org/x/mod/sumdb/tlog/tlog.go')))
    return `no golang.org/x/mod in ${GO_PATH}: apt-get install golang-golang-x-mod-dev`;
  return undefined;
}

/** Of all tests: compiling Go's own packages is most of a first run. */
const COMPILE_CACHE = join(tmpdir(), 'countersign-go-compile-cache');

/** What golang.org/x/mod/sumdb/{note,tlog} say of a log; rejects with their reason. */
export async function verifyWithGo(directory: string, vkey: string): Promise<string> {
  const go = goCommand();
  if (go === undefined) throw new Error(whyNoGo());
  const environment = { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH, GOCACHE: COMPILE_CACHE };
  const { stdout } = await promisify(execFile)(go, ['run', PROGRAM, directory, vkey], { env: environment });
  return stdout.trim();
}

/** An entry of the synthetic log; a node's leaves look like this. */
function syntheticLeaf(origin: string, index: number): Uint8Array {
  const time = new Date(Date.UTC(2026, 0, 1) + index).toISOString().replace('Z', '000Z');
  return utf8(
    formatLeaf({
      v: 1,
      log: origin,
      n: index,
      t: time,
      boot: 'bot_00000000000000000000000000',
      type: 'ledger.heartbeat',
      kind: 'system',
    }),
  );
}

/** Writes tiles, bundles and a signed checkpoint of `size` leaves, growing in the steps of `sizes`. */
export async function writeLog(
  directory: string,
  key: VerifierKey,
  privateKey: KeyObject,
  sizes: readonly number[],
): Promise<void> {
  const frontier = new Frontier();
  const nodes = new Map<string, Uint8Array>();
  const entries: Uint8Array[] = [];
  let oldSize = 0;
  for (const size of sizes) {
    while (frontier.size < size) {
      const entry = syntheticLeaf(key.name, frontier.size);
      entries.push(entry);
      frontier.push(leafHash(entry), (level, index, hash) => {
        if (level % 8 === 0) nodes.set(`${level / 8}/${index}`, hash);
      });
    }
    for (const tile of newTiles(oldSize, size)) {
      const first = tile.index * TILE_WIDTH;
      const bytes =
        tile.level === 'entries'
          ? encodeBundle(entries.slice(first, first + tile.width))
          : tileBytes(nodes, tile.level, first, tile.width);
      await write(join(directory, tilePath(tile)), bytes);
    }
    const text = formatCheckpoint({ origin: key.name, size, root: frontier.root() });
    const signature = sign(null, utf8(text), privateKey);
    const note = formatNote(text, [{ name: key.name, keyId: key.keyId, signature }]);
    await write(join(directory, 'checkpoint'), utf8(note));
    oldSize = size;
  }
}

function tileBytes(
  nodes: ReadonlyMap<string, Uint8Array>,
  level: number,
  first: number,
  width: number,
): Uint8Array {
  const bytes = new Uint8Array(width * 32);
  for (let i = 0; i < width; i++) {
    const hash = nodes.get(`${level}/${first + i}`);
    if (hash === undefined) throw new Error(`no node ${first + i} of tile level ${level}`);
    bytes.set(hash, i * 32);
  }
  return bytes;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

function goCommand(): string | undefined {
  return ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
}
