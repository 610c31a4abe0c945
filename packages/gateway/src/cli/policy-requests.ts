/** Requests over HTTP in the cases of `policy test`. */

import { type TSchema, Type } from 'typebox';
import type { RequestToRehearse } from '../rehearsal/rehearsed-request.ts';
import type { ResourceView } from '../resources/view.ts';

export interface RequestDocument {
  readonly method?: string;
  /** With its query, where it has one. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text as it stands; anything else is written as JSON. */
  readonly body?: unknown;
  /** In the place of that of the connection. */
  readonly dialect?: string;
}

/** What a case says of a text, and what has no place beside a request. */
const OF_SQL = ['prepared', 'rows', 'returned', 'estimatedRows'] as const;

export const REQUEST: TSchema = Type.Object(
  {
    method: Type.Optional(Type.String({ pattern: '^[A-Z][A-Z-]{0,31}$' })),
    path: Type.String({ pattern: '^/', maxLength: 8_192 }),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 8_192 }), {
        maxProperties: 100,
        propertyNames: Type.String({ pattern: '^[a-zA-Z0-9-]{1,100}$' }),
      }),
    ),
    body: Type.Optional(Type.Unknown()),
    dialect: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,64}$' })),
  },
  { additionalProperties: false },
);

const encoder = new TextEncoder();

/** A case is about a text or about a request. */
export function checkRequest(
  one: Readonly<Partial<Record<'sql' | 'request' | (typeof OF_SQL)[number], unknown>>>,
  complain: (key: string, says: string) => void,
): void {
  if (one.request === undefined) {
    if (one.sql === undefined) complain('sql', 'needs "sql" or "request": what is sent');
    return;
  }
  if (one.sql !== undefined) complain('sql', '"sql" and "request" are two cases');
  for (const key of OF_SQL) {
    if (one[key] !== undefined) complain(key, `"${key}" is about SQL, and this sends a request`);
  }
}

/** The dialect is that of the connection, where it has one. */
export function requestOf(
  given: RequestDocument,
  view: ResourceView,
  on: string | undefined,
): RequestToRehearse {
  const [path = '/', ...query] = given.path.split('?');
  const connection = on === undefined ? undefined : view.connection(on);
  const said: unknown =
    connection === undefined ? undefined : Object.getOwnPropertyDescriptor(connection, 'dialect')?.value;
  return {
    method: given.method ?? (given.body === undefined ? 'GET' : 'POST'),
    path,
    query: query.join('?'),
    fields: Object.entries(given.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    content: contentOf(given),
    dialect: given.dialect ?? (typeof said === 'string' ? said : 'auto'),
  };
}

/** What causes are shown in. */
export function lineOf({ method, path, query }: RequestToRehearse): string {
  return `${method} ${path}${query === '' ? '' : `?${query}`}`;
}

function contentOf({ body }: RequestDocument): Uint8Array | undefined {
  if (body === undefined) return undefined;
  return encoder.encode(typeof body === 'string' ? body : JSON.stringify(body));
}
