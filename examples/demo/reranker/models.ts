/**
 * The models of the service: versions by name, of which one answers.
 *
 * A version never changes: the same name and version with other bytes is refused. `lexical-blend` in a call is
 * whatever version is active, and `lexical-blend@1.3.0` is that one. Who owns the state: this class; changes wait
 * for each other, and one that could not be kept on disk has not happened.
 */

import { ModelFolder, shippedFiles } from './model-folder.ts';
import { digestOf, type Parameters, parseParameters } from './parameters.ts';
import { Problem } from './problem.ts';

export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly parameters: Parameters;
  /** Came with the service, and cannot be removed. */
  readonly shipped: boolean;
}

export interface Model {
  readonly name: string;
  readonly active: ModelVersion;
  readonly activatedAt: Date;
  /** Oldest first. */
  readonly versions: readonly ModelVersion[];
}

export interface Activated {
  readonly before: ModelVersion | undefined;
  readonly after: ModelVersion;
}

export interface ModelsOptions {
  /** Where uploads are kept. */
  readonly folder: string | undefined;
  readonly versionsMax: number;
  readonly now: () => Date;
}

/** Answers calls that name no model. */
export const DEFAULT_MODEL = 'lexical-blend';
/** Of the versions that come with the service, the one that a new service begins with. */
const FIRST_ACTIVE = '1.4.0';

export class Models {
  readonly #folder: ModelFolder;
  readonly #options: ModelsOptions;
  readonly #versions = new Map<string, ModelVersion>();
  readonly #active = new Map<string, { readonly version: ModelVersion; readonly at: Date }>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ModelsOptions) {
    this.#options = options;
    this.#folder = new ModelFolder(options.folder);
  }

  static async open(options: ModelsOptions): Promise<Models> {
    const models = new Models(options);
    for (const bytes of await shippedFiles()) models.#put(bytes, true);
    for (const bytes of await models.#folder.files()) models.#put(bytes, false);
    const active = { [DEFAULT_MODEL]: FIRST_ACTIVE, ...(await models.#folder.active()) };
    for (const [name, version] of Object.entries(active)) {
      models.#active.set(name, { version: models.version(name, version), at: options.now() });
    }
    return models;
  }

  list(): readonly Model[] {
    return [...this.#active.keys()].toSorted().map((name) => this.model(name));
  }

  /** @throws Problem where no version of the name was ever activated. */
  model(name: string): Model {
    const active = this.#active.get(name);
    if (active === undefined) throw unknown(name);
    return { name, active: active.version, activatedAt: active.at, versions: this.versions(name) };
  }

  versions(name: string): readonly ModelVersion[] {
    const versions = [...this.#versions.values()].filter((one) => one.name === name);
    if (versions.length === 0) throw unknown(name);
    return versions.toSorted((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
  }

  version(name: string, version: string): ModelVersion {
    const found = this.#versions.get(`${name}@${version}`);
    if (found === undefined) throw unknown(`${name}@${version}`);
    return found;
  }

  /** What a call names: a name, a name with its version, or nothing. */
  resolve(reference: string | undefined): ModelVersion {
    const wanted = reference ?? DEFAULT_MODEL;
    const found = this.#versions.get(wanted) ?? this.#active.get(wanted)?.version;
    if (found === undefined) throw unknown(wanted);
    return found;
  }

  /** Takes a parameter file in. It answers nothing until it is activated. */
  add(name: string, version: string, bytes: Uint8Array): Promise<'added' | 'known'> {
    return this.#inTurn(async () => {
      const parameters = parseParameters(bytes);
      if (parameters.name !== name || parameters.version !== version) {
        const says = `The file is of ${parameters.name}@${parameters.version}, not of ${name}@${version}.`;
        throw new Problem('invalid', says, 'name');
      }
      const known = this.#versions.get(`${name}@${version}`);
      if (known?.digest === digestOf(bytes)) return 'known';
      if (known !== undefined) {
        throw new Problem('conflict', `${name}@${version} is ${known.digest}, and versions do not change.`);
      }
      if (this.#versions.size >= this.#options.versionsMax) {
        throw new Problem('conflict', `There are ${this.#versions.size} versions. Remove one first.`);
      }
      await this.#folder.keep(name, version, bytes);
      this.#put(bytes, false);
      return 'added';
    });
  }

  /** Has the version answer from the next call on. `digest`: what the caller believes that it activates. */
  activate(name: string, version: string, digest?: string): Promise<Activated> {
    return this.#inTurn(async () => {
      const after = this.version(name, version);
      if (digest !== undefined && digest !== after.digest) {
        throw new Problem('conflict', `${name}@${version} is ${after.digest}, not ${digest}.`);
      }
      const before = this.#active.get(name)?.version;
      const active = [...this.#active].map(([key, value]) => [key, value.version.version] as const);
      await this.#folder.keepActive({ ...Object.fromEntries(active), [name]: version });
      this.#active.set(name, { version: after, at: this.#options.now() });
      return { before, after };
    });
  }

  remove(name: string, version: string): Promise<void> {
    return this.#inTurn(async () => {
      const found = this.version(name, version);
      if (found.shipped) throw new Problem('conflict', `${name}@${version} comes with the service.`);
      if (this.#active.get(name)?.version === found) {
        throw new Problem('conflict', `${name}@${version} is active. Activate another one first.`);
      }
      await this.#folder.forget(name, version);
      this.#versions.delete(`${name}@${version}`);
    });
  }

  #put(bytes: Uint8Array, shipped: boolean): void {
    const parameters = parseParameters(bytes);
    const { name, version } = parameters;
    this.#versions.set(`${name}@${version}`, {
      name,
      version,
      digest: digestOf(bytes),
      bytes,
      parameters,
      shipped,
    });
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(change);
    // The next change waits for this one, however it ends; who asked for it hears of its error.
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function unknown(reference: string): Problem {
  return new Problem('no-model', `model '${reference.slice(0, 128)}' not found`, 'model');
}
