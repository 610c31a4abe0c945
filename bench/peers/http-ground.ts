/** What the HTTP rows find ready: a target, and the ways to it, each through a real process. */

import { fileURLToPath } from 'node:url';
import { type HttpCalls, runHttpCalls } from '../measure/http-calls.ts';
import { versionOf } from '../measure/machine.ts';
import type { Load } from '../measure/profile.ts';
import {
  PERSONAL_ADDRESS,
  PERSONAL_ANSWER,
  RERANK_ANSWER,
  RERANK_REQUEST,
} from '../measure/rerank-sample.ts';
import type { GatewayProcess } from './gateway.ts';
import { startNginx } from './nginx.ts';
import { type OwnedProcesses, readyLine } from './owned-processes.ts';

export interface HttpWay {
  readonly name: 'direct' | 'nginx' | 'countersign';
  readonly host: string;
  readonly port: number;
  /** Shown as the bearer's. */
  readonly token: string;
  /** The process in the path; undefined where there is none. */
  readonly pid: number | undefined;
}

/** Of the gateway's connections, each to the same target. */
export type HttpConnectionName = 'reranker' | 'reranker-masked' | 'files';

export interface HttpWork {
  /** Of the target. */
  readonly path: string;
  readonly connection: HttpConnectionName;
  readonly callers: number;
  readonly seconds: number;
}

export interface HttpGroundOptions {
  readonly directory: string;
  readonly children: OwnedProcesses;
  /** Starts the gateway that is measured, in front of this target. */
  readonly startGateway: (httpTarget: number) => Promise<GatewayProcess>;
  /** Seconds for which each way is warmed up at most. */
  readonly warmUpSeconds: number;
  /** Takes what the gateway's threads cost, where they are profiled. */
  readonly loads?: Load[] | undefined;
  /** The program; another one in tests. */
  readonly nginx?: string;
}

const TARGET = fileURLToPath(new URL('../http-target.ts', import.meta.url));
const NGINX = '/usr/sbin/nginx';
const HOST = '127.0.0.1';
const WARM_UP_CALLERS = 8;
/** V8 has nothing to compile in nginx, and little in the target. */
const WARM_UP_SECONDS_OF_OTHERS = 1;

/** Owned by the stage. */
export class HttpGround {
  readonly #options: HttpGroundOptions;
  readonly #ways: HttpWay[] = [];
  readonly missing: string[] = [];
  readonly versions: string[] = [];
  #targetPort = 0;
  #gateway: GatewayProcess | undefined;

  private constructor(options: HttpGroundOptions) {
    this.#options = options;
  }

  /** Rejects where one of the ways does not give the answer that it has to. */
  static async open(options: HttpGroundOptions): Promise<HttpGround> {
    const ground = new HttpGround(options);
    try {
      await ground.#start();
      for (const way of ground.ways) await ground.#warmUp(way);
      return ground;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  get ways(): readonly HttpWay[] {
    return this.#ways;
  }

  get targetPort(): number {
    return this.#targetPort;
  }

  /** Calls of one kind, through one of the ways. */
  run(way: HttpWay, work: HttpWork): Promise<HttpCalls> {
    return this.#run(way, work, way.name === 'countersign' ? this.#options.loads : undefined);
  }

  async close(): Promise<void> {
    await this.#gateway?.stop();
  }

  #run(way: HttpWay, work: HttpWork, loads: Load[] | undefined): Promise<HttpCalls> {
    const { host, port, token, pid } = way;
    const { callers, seconds } = work;
    const load = { host, port, token, path: pathOf(way, work), body: RERANK_REQUEST, callers, seconds };
    return runHttpCalls(load, { children: this.#options.children, pid, loads });
  }

  async #start(): Promise<void> {
    const { directory, children, nginx = NGINX, startGateway } = this.#options;
    const target = children.start(process.execPath, [TARGET]);
    const { port: targetPort }: { port: number } = JSON.parse(await readyLine(target, 'the target'));
    this.#targetPort = targetPort;
    const plain = { host: HOST, token: 'a-key-of-the-target' };
    this.#ways.push({ ...plain, name: 'direct', port: targetPort, pid: undefined });
    const version = versionOf(nginx, '-v');
    if (version === undefined) {
      this.missing.push(`nginx is not installed (${nginx}): nothing of HTTP is compared with it`);
    } else {
      this.versions.push(version.replace('nginx version: ', ''));
      const { port, pid } = await startNginx(nginx, { directory, children, targetPort });
      this.#ways.push({ ...plain, name: 'nginx', port, pid });
    }
    const gateway = await startGateway(targetPort);
    this.#gateway = gateway;
    this.#ways.push({ ...gateway.http, host: HOST, name: 'countersign', pid: gateway.pid });
  }

  async #warmUp(way: HttpWay): Promise<void> {
    const { warmUpSeconds: most } = this.#options;
    await prove(way);
    const seconds = way.name === 'countersign' ? most : Math.min(most, WARM_UP_SECONDS_OF_OTHERS);
    const work = { callers: WARM_UP_CALLERS, seconds, connection: 'reranker', path: '/v2/rerank' } as const;
    // What it costs while it warms up is not what is looked at.
    await this.#run(way, work, undefined);
    if (way.name !== 'countersign') return;
    await this.#run(way, { ...work, connection: 'reranker-masked', path: '/v1/rerank' }, undefined);
  }
}

/** Behind the gateway, the first part of a path is the name of a connection. */
export function pathOf(
  { name }: Pick<HttpWay, 'name'>,
  { path, connection }: Pick<HttpWork, 'path' | 'connection'>,
): string {
  return name === 'countersign' ? `/${connection}${path}` : path;
}

/** That it is the target that answers, byte for byte, and that masks hide something, before anything is measured. */
async function prove(way: HttpWay): Promise<void> {
  const plain = await ask(way, 'reranker', '/v2/rerank');
  if (plain !== RERANK_ANSWER) throw new Error(`${way.name} has another answer: ${plain}`);
  if (way.name !== 'countersign') return;
  const shown = await ask(way, 'reranker', '/v1/rerank');
  if (shown !== PERSONAL_ANSWER) throw new Error(`${way.name} has another answer: ${shown}`);
  const masked = await ask(way, 'reranker-masked', '/v1/rerank');
  const isWhole = masked.includes('relevance_score') && masked.endsWith('}');
  if (!isWhole || masked.includes(PERSONAL_ADDRESS)) throw new Error(`it is not masked: ${masked}`);
}

async function ask(way: HttpWay, connection: HttpConnectionName, path: string): Promise<string> {
  const answer = await fetch(`http://${way.host}:${way.port}${pathOf(way, { connection, path })}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${way.token}`, 'content-type': 'application/json' },
    body: RERANK_REQUEST,
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${way.name} said ${answer.status}: ${text}`);
  return text;
}
