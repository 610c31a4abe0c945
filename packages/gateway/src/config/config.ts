/** The configuration of one gateway: text → checked options, all defaults filled in. */

import { isAbsolute, resolve } from 'node:path';
import { Default } from 'typebox/value';
import { CountersignError } from '../core/errors.ts';
import { problemOf } from './check-schema.ts';
import { CONFIG_SCHEMA } from './schema.ts';
import { parseYaml, type Plain } from './yaml.ts';

/** Where a secret is kept. */
export type SourceOption =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly command: readonly string[] };

export interface ListenOption {
  readonly host: string;
  readonly port: number;
}

export type TlsMode = 'optional' | 'required' | 'off';

/** Every path is absolute. */
export interface Config {
  readonly data: string;
  readonly node: string;
  readonly origin: string;
  readonly listen: {
    readonly postgres: ListenOption;
    readonly http: ListenOption;
    readonly api: ListenOption;
  };
  readonly tls: {
    readonly mode: TlsMode;
    readonly files: { readonly cert: string; readonly key: string } | undefined;
  };
  readonly store:
    | { readonly kind: 'sqlite'; readonly file: string }
    | { readonly kind: 'postgres'; readonly url: SourceOption };
  readonly installationKey: SourceOption;
  readonly ledger: {
    readonly directory: string;
    /** `<data>/ledger-key.sealed`. */
    readonly keyFile: string;
    readonly checkpointDelayMs: number;
    readonly segmentBytesMax: number;
    readonly ballastBytes: number;
  };
  readonly checkpoints: { readonly secondPlace: string };
  readonly recording: { readonly directory: string };
  readonly notify: NotifyOption;
}

/** Who hears of holds. */
export interface NotifyOption {
  /** Without a slash at its end; undefined: where the API listens. */
  readonly baseUrl: string | undefined;
  readonly webhooks: readonly { readonly url: string; readonly secret: SourceOption }[];
  readonly commands: readonly (readonly string[])[];
}

/** What the command line says, which goes before the file. */
export interface ConfigOverrides {
  /** `--data DIR`. */
  readonly data: string;
  /** Relative paths in the file start here: the directory of the file. */
  readonly directory?: string;
  readonly postgresPort?: number;
  /** Unless given, and where the PostgreSQL port is any free one, this is any free one too. */
  readonly httpPort?: number;
  readonly apiPort?: number;
}

/** The file as the schema lets it pass, with its defaults. */
interface ConfigFile {
  node: string;
  origin?: string;
  listen: { postgres: ListenOption; http: ListenOption; api: ListenOption };
  tls: { mode: TlsMode; cert?: string; key?: string };
  store: { kind: 'sqlite'; file?: string } | { kind: 'postgres'; url: SourceOption };
  installationKey?: SourceOption;
  ledger: { directory?: string; checkpointDelayMs: number; segmentBytesMax: number; ballastBytes: number };
  checkpoints: { secondPlace?: string };
  recording: { directory?: string };
  notify: {
    baseUrl?: string;
    webhooks: readonly { url: string; secret: SourceOption }[];
    commands: readonly (readonly string[])[];
  };
}

/** The options of a file, or of no file at all; CONFIG_INVALID names the option that is wrong. */
export function loadConfig(text: string | undefined, overrides: ConfigOverrides): Config {
  const file = withOverrides(parseFile(text), overrides);
  if (!isAbsolute(overrides.data)) throw invalid('--data must be an absolute path');
  const data = resolve(overrides.data);
  const base = resolve(overrides.directory ?? data);
  const at = (path: string | undefined, name: string): string =>
    path === undefined ? resolve(data, name) : resolve(base, path);
  return {
    data,
    node: file.node,
    origin: file.origin ?? `countersign.local/ledger/${file.node}`,
    listen: file.listen,
    tls: { mode: file.tls.mode, files: tlsFiles(file.tls, base) },
    store:
      file.store.kind === 'sqlite'
        ? { kind: 'sqlite', file: at(file.store.file, 'store.sqlite') }
        : { kind: 'postgres', url: resolveSource(file.store.url, base) },
    installationKey:
      file.installationKey === undefined
        ? { file: resolve(data, 'installation.key') }
        : resolveSource(file.installationKey, base),
    ledger: {
      directory: at(file.ledger.directory, 'ledger'),
      keyFile: resolve(data, 'ledger-key.sealed'),
      checkpointDelayMs: file.ledger.checkpointDelayMs,
      segmentBytesMax: file.ledger.segmentBytesMax,
      ballastBytes: file.ledger.ballastBytes,
    },
    checkpoints: { secondPlace: at(file.checkpoints.secondPlace, 'second-place') },
    recording: { directory: at(file.recording.directory, 'recordings') },
    notify: notifyOption(file.notify, base),
  };
}

function parseFile(text: string | undefined): ConfigFile {
  const document = text === undefined ? {} : parseOne(text);
  const value = Default(CONFIG_SCHEMA, document);
  const problem = problemOf(CONFIG_SCHEMA, value);
  if (problem !== undefined) throw invalid(problem);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
  return value as ConfigFile;
}

function parseOne(text: string): Plain {
  const result = parseYaml(text);
  if (result.kind === 'problem') throw invalid(result.problem);
  const [first, second] = result.documents;
  if (second !== undefined) throw invalid('the file has more than one document');
  return first ?? {};
}

function withOverrides(file: ConfigFile, overrides: ConfigOverrides): ConfigFile {
  const { postgres, http, api } = file.listen;
  const httpPort = overrides.httpPort ?? (overrides.postgresPort === 0 ? 0 : http.port);
  return {
    ...file,
    listen: {
      postgres: { ...postgres, port: overrides.postgresPort ?? postgres.port },
      http: { ...http, port: httpPort },
      api: { ...api, port: overrides.apiPort ?? api.port },
    },
  };
}

function tlsFiles(tls: ConfigFile['tls'], base: string): Config['tls']['files'] {
  if (tls.cert === undefined && tls.key === undefined) return undefined;
  if (tls.cert === undefined) throw invalid('tls.key needs "tls.cert" beside it');
  if (tls.key === undefined) throw invalid('tls.cert needs "tls.key" beside it');
  return { cert: resolve(base, tls.cert), key: resolve(base, tls.key) };
}

function resolveSource(source: SourceOption, base: string): SourceOption {
  return 'file' in source ? { file: resolve(base, source.file) } : source;
}

function notifyOption(notify: ConfigFile['notify'], base: string): NotifyOption {
  return {
    baseUrl: notify.baseUrl?.replace(/\/+$/, ''),
    webhooks: notify.webhooks.map(({ url, secret }) => ({
      url: webhookUrl(url),
      secret: resolveSource(secret, base),
    })),
    commands: notify.commands,
  };
}

/** Names of people and rules do not go over a network in the clear, and a password is no part of a URL. */
function webhookUrl(text: string): string {
  const url = URL.parse(text);
  const isLoopback =
    url?.protocol === 'http:' &&
    (url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.[0-9.]+$/.test(url.hostname));
  if (
    url === null ||
    (url.protocol !== 'https:' && !isLoopback) ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw invalid('notify.webhooks needs a URL of https, or of http on loopback, without a password');
  }
  return url.href;
}

function invalid(reason: string): CountersignError {
  return new CountersignError('CONFIG_INVALID', { reason });
}
