/**
 * A script of protocol messages, and the run of it against one endpoint.
 *
 * The steps are data: the same run against PostgreSQL and against the gateway gives two transcripts.
 */

import { connect } from 'node:net';
import { Client } from 'pg';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { TERMINATE } from './frames.ts';
import { OidNames, transcriptOf } from './transcript.ts';
import { type Endpoint, type Pieces, WireClient } from './wire-client.ts';

/** One step; `on` names the session, which logs in at its first step. */
export type Step =
  | { readonly kind: 'login'; readonly on: string; readonly parameters: Readonly<Record<string, string>> }
  | { readonly kind: 'send'; readonly on: string; readonly bytes: Buffer }
  /** Waits for messages of a type from the server. */
  | { readonly kind: 'wait'; readonly on: string; readonly type: string; readonly count: number }
  /** Waits until the server runs a statement that contains the text, or waits in it for an event. */
  | { readonly kind: 'running'; readonly on: string; readonly text: string; readonly waitsFor?: string }
  | { readonly kind: 'cancel'; readonly on: string }
  /** Closes the client's side of the connection. */
  | { readonly kind: 'fin'; readonly on: string }
  | { readonly kind: 'closed'; readonly on: string }
  /** Run by the superuser on a connection of its own, directly in both runs. */
  | { readonly kind: 'admin'; readonly on: string; readonly sql: string };

export interface Script {
  /** A sentence about what happens. */
  readonly name: string;
  /** SQL that the superuser runs before, directly. */
  readonly setup?: string;
  readonly cleanup?: string;
  readonly steps: readonly Step[];
  /** Too many bytes to be sent one by one. */
  readonly large?: boolean;
  /** The oldest major version that has what it uses. */
  readonly since?: number;
}

const MAIN = 'a';

export function send(...frames: readonly Buffer[]): Step {
  return sendOn(MAIN, ...frames);
}

export function sendOn(on: string, ...frames: readonly Buffer[]): Step {
  return { kind: 'send', on, bytes: Buffer.concat(frames) };
}

/** Waits for ReadyForQuery. */
export function ready(count = 1, on: string = MAIN): Step {
  return { kind: 'wait', on, type: 'Z', count };
}

export function wait(type: string, count = 1, on: string = MAIN): Step {
  return { kind: 'wait', on, type, count };
}

export function closed(on: string = MAIN): Step {
  return { kind: 'closed', on };
}

export function login(parameters: Readonly<Record<string, string>>, on: string = MAIN): Step {
  return { kind: 'login', on, parameters };
}

export /** One write, and so many ReadyForQuery. */
function pipeline(name: string, readyCount: number, ...frames: readonly Buffer[]): Script {
  return { name, steps: [send(...frames), ready(readyCount)] };
}

export interface RunOptions {
  readonly endpoint: Endpoint;
  /** The superuser, directly. */
  readonly admin: Endpoint;
  readonly pieces?: Pieces;
}

/** What each session was sent, with a line where the peer was silent although something was expected. */
export async function runScript(script: Script, options: RunOptions): Promise<string[]> {
  const run = new Run(options);
  const { setup, cleanup } = script;
  await run.admin('set client_min_messages = warning');
  if (setup !== undefined) await run.admin(setup);
  try {
    for (const step of script.steps) await run.step(step);
    await run.end();
    return run.transcript();
  } finally {
    run.destroy();
    if (cleanup !== undefined) await run.admin(cleanup);
    await run.close();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #sessions = new Map<string, WireClient>();
  readonly #silences: string[] = [];
  #adminClient: Client | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'admin') return void (await this.admin(step.sql));
    if (step.kind === 'running') return this.#running(step.text, step.waitsFor);
    const { endpoint, pieces } = this.#options;
    let client = this.#sessions.get(step.on);
    if (client === undefined) {
      client = await WireClient.login(endpoint, step.kind === 'login' ? step.parameters : {}, pieces);
      this.#sessions.set(step.on, client);
    }
    switch (step.kind) {
      case 'login':
        break;
      case 'send':
        client.send(step.bytes);
        break;
      case 'wait':
        if (!(await client.wait(step.type, step.count))) {
          this.#silences.push(`silence: ${step.on} waited for ${step.count} ${step.type}`);
        }
        break;
      case 'cancel':
        await cancel(endpoint.port, client);
        break;
      case 'fin':
        client.endWriting();
        break;
      case 'closed':
        if (!(await client.waitClosed())) this.#silences.push(`silence: ${step.on} was not closed`);
        break;
      default:
        step satisfies never;
    }
  }

  async end(): Promise<void> {
    for (const [name, client] of this.#sessions) {
      if (client.closed) continue;
      client.send(TERMINATE);
      client.endWriting();
      if (!(await client.waitClosed())) this.#silences.push(`silence: ${name} was not closed at its end`);
    }
  }

  transcript(): string[] {
    const oids = new OidNames();
    const lines = [...this.#sessions].flatMap(([name, client]) =>
      transcriptOf(client.frames, oids).map((line) => `${name} ${line}`),
    );
    return [...lines, ...this.#silences];
  }

  async admin(sql: string): Promise<readonly unknown[]> {
    if (this.#adminClient === undefined) {
      const { admin } = this.#options;
      this.#adminClient = new Client({ ...admin, host: '127.0.0.1' });
      await this.#adminClient.connect();
    }
    const { rows } = await this.#adminClient.query(sql);
    return Array.isArray(rows) ? rows : [];
  }

  async #running(text: string, waitsFor: string | undefined): Promise<void> {
    const deadline = Date.now() + 10_000;
    const event = waitsFor === undefined ? '' : ` and wait_event = '${waitsFor}'`;
    const sql = `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and position('${text}' in query) > 0${event}`;
    while ((await this.admin(sql)).length === 0) {
      if (Date.now() > deadline) {
        this.#silences.push(`silence: nobody runs ${text}`);
        return;
      }
    }
  }

  destroy(): void {
    for (const client of this.#sessions.values()) client.destroy();
  }

  async close(): Promise<void> {
    await this.#adminClient?.end();
  }
}

function cancel(port: number, client: WireClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
    socket.end(encodeStartupPacket({ kind: 'CancelRequest', ...client.cancelKey }));
  });
}
