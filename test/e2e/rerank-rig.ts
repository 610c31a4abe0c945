/** The demo's reranking service behind a real gateway, masked in each way in which a call of it can be. */

import { type Reranker, startReranker } from '../../examples/demo/reranker/server.ts';
import {
  type HttpHarness,
  PEOPLE,
  plainConnection,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

/** Prefix of the demo's service, its path, and a call of it. */
export const DIALECTS: readonly (readonly [
  prefix: string,
  path: string,
  call: (query: string, documents: readonly string[]) => object,
])[] = [
  ['cohere', '/v1/rerank', (query, documents) => ({ query, documents, return_documents: true })],
  ['cohere', '/v2/rerank', (query, documents) => ({ model: 'lexical-blend', query, documents })],
  ['jina', '/v1/rerank', (query, documents) => ({ model: 'lexical-blend', query, documents })],
  [
    'voyage',
    '/v1/rerank',
    (query, documents) => ({
      model: 'lexical-blend',
      query,
      documents,
      return_documents: true,
    }),
  ],
  [
    'mixedbread',
    '/v1/reranking',
    (query, input) => ({
      model: 'lexical-blend',
      query,
      input,
      return_input: true,
    }),
  ],
  ['tei', '/rerank', (query, texts) => ({ query, texts, return_text: true })],
  [
    'infinity',
    '/rerank',
    (query, documents) => ({
      model: 'lexical-blend',
      query,
      documents,
      return_documents: true,
    }),
  ],
  [
    'pinecone',
    '/rerank',
    (query, texts) => ({
      model: 'lexical-blend',
      query,
      documents: texts.map((text, index) => ({ id: `d${index}`, text })),
      return_documents: true,
    }),
  ],
];
export const CANARY = 'ana.canary@example.org';
export const QUERY = `refund for ${CANARY}`;
export const DOCUMENTS: readonly string[] = [
  'A kettle.',
  `Kettle\nMail of ANA.CANARY@example.org: refund, "please" call +1 415 555 0132`,
  `Refund of somebody else, bob.canary@example.net`,
  'A canary in an example.',
];

/** Ways in which a connection masks what is sent to the reranker. */
export const WAYS: Readonly<Record<string, string>> = {
  safe: 'as: redact\nmode: rerank-safe',
  label: 'as: redact',
  stars: 'as: mask',
};

/** What a target says of what it was sent. */
export type Answer = (sent: string) => {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly coding?: string;
};

export interface RerankRig {
  readonly harness: HttpHarness;
  /** From whom nothing is hidden that comes back. */
  readonly entitled: string;
  /** From whom something is. */
  readonly other: string;
  /** Somebody else from whom nothing is. */
  readonly third: string;
  readonly auditor: string;
  /** What the service was sent last. */
  seen(): string;
  /** What the target says in the place of the reranker; undefined: the reranker again. */
  answerWith(answer: Answer | undefined): void;
  /** The answer's content; rejects with its status where it is no success. @param token of who is entitled, where left out */
  post(connection: string, path: string, body: object, token?: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startRerankRig(): Promise<RerankRig> {
  let seen = '';
  let instead: Answer | undefined;
  const reranker: Reranker = await startReranker({ port: 0 });
  // Sees what arrives, and hands it on.
  const upstream: Upstream = await startUpstream((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const sent = Buffer.concat(chunks).toString();
      seen = sent;
      if (instead !== undefined) {
        const { type, body, coding } = instead(sent);
        response.setHeader('content-type', type);
        response.setHeader('x-said', (JSON.parse(sent) as { query: string }).query);
        if (coding !== undefined) response.setHeader('content-encoding', coding);
        response.end(body);
        return;
      }
      void fetch(`${reranker.url}${incoming.url ?? ''}`, {
        method: incoming.method ?? 'GET',
        headers: { 'content-type': incoming.headers['content-type'] ?? '' },
        body: sent,
      }).then(async (answer) => {
        response.statusCode = answer.status;
        response.setHeader('content-type', answer.headers.get('content-type') ?? '');
        response.end(await answer.text());
      });
    });
  });
  const harness = await startHttpHarness();
  const prefixes = [...new Set(DIALECTS.map(([prefix]) => prefix))];
  const connections = prefixes.flatMap((prefix) =>
    ['plain', ...Object.keys(WAYS)].map((way) =>
      plainConnection(
        `${upstream.url}/${prefix}`,
        `dialect: ${prefix === 'cohere' ? 'auto' : prefix}\nlabels: { way: ${way} }`,
      ).replace('name: api', `name: ${way}-${prefix}`),
    ),
  );
  const masks = Object.entries(WAYS).map(
    ([way, as]) => `
kind: Mask
name: ${way}
on: [label:way=${way}]
detect: [email, phone]
direction: [request]
${as}`,
  );
  const rest = `
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Access
name: everything
who: [ana, otto, boss]
to: [label:way=plain, label:way=safe, label:way=label, label:way=stars]
may: [read, rerank]
---
kind: Mask
name: otto-sees-no-account
on: [label:way=safe]
who: [otto]
detect: [iban]
as: redact`;
  await harness.apply([...connections, PEOPLE, ...masks, rest].join('\n---\n'));
  const [entitled, other, third, auditor] = await Promise.all([
    harness.token('ana'),
    harness.token('otto'),
    harness.token('boss'),
    harness.token('root'),
  ]);
  return {
    harness,
    entitled,
    other,
    third,
    auditor,
    seen: () => seen,
    answerWith(answer) {
      instead = answer;
    },
    async post(connection, path, body, token = entitled) {
      const answer = await fetch(`${harness.url}/${connection}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${answer.status} ${text}`);
      return text;
    },
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await reranker.close();
    },
  };
}
