/** Parameter files on disk: those that come with the service, and a folder of its own for those that were uploaded. */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which version of each model answers. */
export type Active = Readonly<Record<string, string>>;

const SHIPPED = fileURLToPath(new URL('models', import.meta.url));
const ACTIVE = 'active.json';

/** The files that come with the service. */
export function shippedFiles(): Promise<readonly Uint8Array[]> {
  return filesIn(SHIPPED);
}

async function filesIn(folder: string): Promise<readonly Uint8Array[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && name !== ACTIVE);
  return Promise.all(names.toSorted().map((name) => readFile(join(folder, name))));
}

/** Keeps what was uploaded and activated over a restart. Without a folder, nothing outlives the process. */
export class ModelFolder {
  readonly #folder: string | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  async files(): Promise<readonly Uint8Array[]> {
    if (this.#folder === undefined) return [];
    await mkdir(this.#folder, { recursive: true });
    return filesIn(this.#folder);
  }

  async active(): Promise<Active> {
    if (this.#folder === undefined) return {};
    const text = await readFile(join(this.#folder, ACTIVE), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw error;
    });
    return JSON.parse(text);
  }

  async keep(name: string, version: string, bytes: Uint8Array): Promise<void> {
    await this.#write(`${name}@${version}.json`, bytes);
  }

  async forget(name: string, version: string): Promise<void> {
    if (this.#folder !== undefined) await rm(join(this.#folder, `${name}@${version}.json`), { force: true });
  }

  async keepActive(active: Active): Promise<void> {
    await this.#write(ACTIVE, new TextEncoder().encode(`${JSON.stringify(active, undefined, 2)}\n`));
  }

  /** Whole or not at all. */
  async #write(file: string, bytes: Uint8Array): Promise<void> {
    if (this.#folder === undefined) return;
    const path = join(this.#folder, file);
    await writeFile(`${path}.new`, bytes, { flush: true });
    await rename(`${path}.new`, path);
  }
}
