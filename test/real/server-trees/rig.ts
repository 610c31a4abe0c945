/** Asks a real server for its trees: runs statements on the bare protocol and keeps the notices. */

import { Client } from 'pg';
import { startPostgres } from '../../../examples/demo/postgres-server.ts';
import { decodeBackend } from '../../../packages/gateway/src/protocols/postgres/decode.ts';
import type { ResponseField } from '../../../packages/gateway/src/protocols/postgres/messages.ts';
import { FactsReader, type ServerFacts } from '../../../packages/gateway/src/sql/server-tree/facts.ts';
import type { TreeValue } from '../../../packages/gateway/src/sql/server-tree/nodes.ts';
import {
  type ClassifiedNotice,
  classifyNotice,
} from '../../../packages/gateway/src/sql/server-tree/notice.ts';
import { type TreeRefusal, TreeReader } from '../../../packages/gateway/src/sql/server-tree/read-nodes.ts';
import { query } from '../../differential/frames.ts';
import { WireClient } from '../../differential/wire-client.ts';
import { SCHEMA } from './schema.ts';

/** What a client hears for one statement. */
export interface Heard {
  readonly facts: ServerFacts;
  readonly roots: readonly TreeValue[];
  /** Why trees were not read. */
  readonly refusals: readonly TreeRefusal[];
  readonly notices: readonly Notice[];
  /** The message of an error, if there was one. */
  readonly error: string | undefined;
}

export interface Notice {
  readonly fields: ReadonlyMap<string, string>;
  readonly classified: ClassifiedNotice;
}

const ARMED = {
  debug_print_rewritten: 'on',
  client_min_messages: 'log',
  debug_pretty_print: 'off',
} as const;

export class TreeRig {
  readonly catalog: Client;
  readonly #client: WireClient;
  readonly #stop: () => Promise<void>;
  readonly #trees = new TreeReader();
  readonly #facts = new FactsReader();

  private constructor(catalog: Client, client: WireClient, stop: () => Promise<void>) {
    this.catalog = catalog;
    this.#client = client;
    this.#stop = stop;
  }

  /** @param version as startPostgres takes it */
  static async start(version: string): Promise<TreeRig> {
    const server = await startPostgres({ version, settings: { fsync: 'off', log_min_messages: 'fatal' } });
    const login = { port: server.port, user: 'postgres', database: 'postgres', password: server.password };
    const catalog = new Client({ host: '127.0.0.1', ...login });
    await catalog.connect();
    await catalog.query(SCHEMA);
    return new TreeRig(catalog, await WireClient.login(login, ARMED), () => server.stop());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await this.catalog.end();
    await this.#stop();
  }

  /** Sends frames that end in so many ReadyForQuery; gives what came. */
  async send(bytes: Buffer, readies = 1): Promise<Heard> {
    const from = this.#client.frames.length;
    this.#client.send(bytes);
    await this.#client.wait('Z', readies);
    const notices: Notice[] = [];
    let error: string | undefined;
    for (const { type, body } of this.#client.frames.slice(from)) {
      if (type !== 'N' && type !== 'E') continue;
      const message = decodeBackend(type.charCodeAt(0), body);
      if (message.kind !== 'NoticeResponse' && message.kind !== 'ErrorResponse') continue;
      const fields = fieldTexts(message.fields);
      if (message.kind === 'ErrorResponse') error = fields.get('M');
      else notices.push({ fields, classified: classifyNotice(message.fields) });
    }
    const roots: TreeValue[] = [];
    const refusals: TreeRefusal[] = [];
    for (const { classified } of notices) {
      if (classified.kind !== 'tree') continue;
      const tree = this.#trees.read(classified.treeBytes);
      if (tree.kind === 'tree') roots.push(tree.root);
      else refusals.push(tree.reason);
    }
    return { facts: this.#facts.read(roots), roots, refusals, notices, error };
  }

  /** Runs a statement and undoes it; what has to come before it is not in what was heard. */
  async run(statement: string, before = ''): Promise<Heard> {
    await this.send(query(`begin; ${before}`));
    const heard = await this.send(query(statement));
    await this.send(query('rollback; reset all; reset role; deallocate all'));
    await this.send(
      query(
        Object.entries(ARMED)
          .map(([name, value]) => `set ${name} = ${value}`)
          .join(';'),
      ),
    );
    return heard;
  }
}

function fieldTexts(fields: readonly ResponseField[]): ReadonlyMap<string, string> {
  return new Map(fields.map(({ code, valueBytes }) => [code, Buffer.from(valueBytes).toString('utf8')]));
}
