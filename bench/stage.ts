/** What every measurement finds ready: one PostgreSQL, and the ways to it, each through a real process. */

import { existsSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, findSystemPostgres, serverAccount } from '../examples/demo/postgres-binaries.ts';
import { type PostgresServer, startPostgres } from '../examples/demo/postgres-server.ts';
import { selfSignedCertificate } from '../packages/gateway/src/listeners/self-signed.ts';
import { versionOf } from './measure/machine.ts';
import type { Load } from './measure/profile.ts';
import { type GatewayProcess, startGatewayProcess } from './peers/gateway.ts';
import { startHaproxy } from './peers/haproxy.ts';
import { HttpGround } from './peers/http-ground.ts';
import { OwnedProcesses, removeWhenGone } from './peers/owned-processes.ts';
import { startPgbouncer } from './peers/pgbouncer.ts';
import { startRelay } from './peers/relay.ts';

export const WAY_NAMES = ['direct', 'pgbouncer', 'haproxy', 'relay', 'countersign'] as const;

export type WayName = (typeof WAY_NAMES)[number];

/** The relay is nobody's choice of a gateway: it is measured where one asks for the floor. */
export const WAYS_COMPARED: readonly WayName[] = WAY_NAMES.filter((name) => name !== 'relay');

export interface Way {
  readonly name: WayName;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** The process in the path; undefined where there is none. */
  readonly pid: number | undefined;
}

export interface PeerOptions {
  /** Of this run; removed at its end. */
  readonly directory: string;
  readonly server: PostgresServer;
  /** Who programs run as that refuse root. */
  readonly account: Account | undefined;
  readonly children: OwnedProcesses;
  /** PEM, for whoever ends TLS. */
  readonly tls: { readonly cert: string; readonly key: string };
}

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly ways: readonly WayName[];
  /** Below it lies everything that the run writes; the disk that is measured. */
  readonly parent: string;
  /** Where the gateway's CPU profiles go. */
  readonly profile: string | undefined;
}

/**
 * A gateway runs for weeks, and a row for seconds: V8 takes about ten of them under load until all that is hot is
 * compiled, and a statement half again as much CPU before. So the gateway is warmed up with six runs' worth of it.
 */
export const WARM_UP_SECONDS_MAX = 12;
export const WARM_UP_RUNS = 6;

export class Stage {
  readonly rounds: number;
  readonly seconds: number;
  readonly directory: string;
  readonly children: OwnedProcesses = new OwnedProcesses();
  readonly missing: string[] = [];
  readonly versions: string[] = [];
  readonly pgbench: string;
  readonly ways: Way[] = [];
  /** When the gateway was under load, and with what: its CPU profiles are cut to these. */
  readonly loads: Load[] = [];
  readonly #settings: Settings;
  readonly #peer: PeerOptions;
  readonly #removed: () => void;
  #gateway: GatewayProcess | undefined;
  #http: Promise<HttpGround> | undefined;

  private constructor(
    settings: Settings,
    pgbench: string,
    peer: Omit<PeerOptions, 'children'>,
    removed: () => void,
  ) {
    this.#settings = settings;
    this.rounds = settings.rounds;
    this.seconds = settings.seconds;
    this.pgbench = pgbench;
    this.directory = peer.directory;
    this.#peer = { ...peer, children: this.children };
    this.#removed = removed;
  }

  static async open(settings: Settings): Promise<Stage> {
    const bin = await findSystemPostgres();
    const pgbench = join(bin ?? '', 'pgbench');
    if (bin === undefined || !existsSync(pgbench)) {
      throw new Error('pgbench is not there: apt-get install postgresql');
    }
    const directory = await mkdtemp(join(settings.parent, 'countersign-bench-'));
    const removed = removeWhenGone(directory);
    // The database's directory too, and what anything else here calls temporary.
    process.env['TMPDIR'] = directory;
    const account = await serverAccount();
    // Programs of another user enter it, and see nothing of what else is there.
    await chmod(directory, 0o711);
    const tls = selfSignedCertificate({ names: ['localhost'], nowMs: Date.now(), randomBytes });
    const server = await startPostgres({
      version: bin,
      ssl: tls,
      settings: {
        // What is measured is the path; PostgreSQL's own disk would hide it.
        fsync: 'off',
        synchronous_commit: 'off',
        max_connections: '1200',
        shared_buffers: '512MB',
        max_wal_size: '4GB',
        jit: 'off',
      },
    });
    const stage = new Stage(settings, pgbench, { directory, server, account, tls }, removed);
    stage.versions.push(versionOf(join(bin, 'postgres'), '--version') ?? 'PostgreSQL');
    try {
      await stage.#startWays();
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  get server(): PostgresServer {
    return this.#peer.server;
  }

  /** PostgreSQL itself, also where `direct` is not among the ways that are compared. */
  get direct(): Way {
    const { port, superuser: user, password } = this.server;
    return { name: 'direct', host: '127.0.0.1', port, user, password, database: 'postgres', pid: undefined };
  }

  /** The gateway's threads are looked at while it is under load. */
  get profiling(): boolean {
    return this.#settings.profile !== undefined;
  }

  /** The gateway among the ways; undefined where it was left out. */
  get gateway(): GatewayProcess | undefined {
    return this.#gateway;
  }

  /** Another gateway, fresh: for figures of memory. */
  startGateway(label: string, httpTarget?: number): Promise<GatewayProcess> {
    return startGatewayProcess({ ...this.#peer, label, httpTarget });
  }

  /** The ways of HTTP, begun with the first row that needs them. */
  http(): Promise<HttpGround> {
    this.#http ??= this.#openHttp();
    return this.#http;
  }

  /** Measures each way once a round; who begins changes from round to round. */
  async interleave<T>(measure: (way: Way, round: number) => Promise<T>): Promise<Map<WayName, T[]>> {
    const all = new Map<WayName, T[]>(this.ways.map(({ name }) => [name, []]));
    for (let round = 0; round < this.rounds; round++) {
      for (const way of rotated(this.ways, round)) {
        all.get(way.name)?.push(await measure(way, round));
      }
    }
    return all;
  }

  async close(): Promise<void> {
    await this.#gateway?.stop();
    const http = await this.#http?.catch(() => undefined);
    await http?.close();
    await this.server.stop();
    this.children.killAll();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
    this.#removed();
  }

  async #openHttp(): Promise<HttpGround> {
    const { profile } = this.#settings;
    const ground = await HttpGround.open({
      directory: this.directory,
      children: this.children,
      startGateway: (httpTarget) =>
        startGatewayProcess({ ...this.#peer, label: 'http', profile, httpTarget }),
      warmUpSeconds: Math.min(WARM_UP_SECONDS_MAX, WARM_UP_RUNS * this.seconds),
      loads: this.profiling ? this.loads : undefined,
    });
    this.versions.push(...ground.versions);
    this.missing.push(...ground.missing);
    for (const text of ground.missing) console.error(`MISSING ${text}`);
    return ground;
  }

  async #startWays(): Promise<void> {
    const starts: Readonly<Record<WayName, () => Promise<Way | undefined>>> = {
      direct: async () => this.direct,
      pgbouncer: () => this.#startPeer('pgbouncer', '/usr/sbin/pgbouncer', '--version', startPgbouncer),
      haproxy: () => this.#startPeer('haproxy', '/usr/sbin/haproxy', '-v', startHaproxy),
      relay: () => startRelay(this.#peer),
      countersign: async () => {
        const { profile } = this.#settings;
        this.#gateway = await startGatewayProcess({ ...this.#peer, label: 'gateway', profile });
        return this.#gateway.way;
      },
    };
    for (const name of this.#settings.ways) {
      const way = await starts[name]();
      if (way !== undefined) this.ways.push(way);
    }
  }

  async #startPeer(
    name: string,
    program: string,
    versionArgument: string,
    start: (program: string, options: PeerOptions) => Promise<Way>,
  ): Promise<Way | undefined> {
    const version = versionOf(program, versionArgument);
    if (version === undefined) {
      this.missing.push(`${name} is not installed (${program}): nothing here is compared with it`);
      return undefined;
    }
    this.versions.push(version.replace(/ - https:.*/, ''));
    return start(program, this.#peer);
  }
}

export function rotated<T>(values: readonly T[], by: number): T[] {
  const first = values.length === 0 ? 0 : by % values.length;
  return [...values.slice(first), ...values.slice(0, first)];
}
