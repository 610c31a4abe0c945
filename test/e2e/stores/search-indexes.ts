/** Indexes of the stand-in for search engines: documents by identifier, aliases, and who destroys what. */

import { asList, asObject, FakeProblem, type JsonObject, memberOf, asText } from './fake-http.ts';

export interface Stored {
  readonly source: JsonObject;
  readonly version: number;
  readonly sequence: number;
}

export interface Found {
  readonly index: string;
  readonly id: string;
  readonly stored: Stored;
}

interface Index {
  readonly body: JsonObject;
  readonly documents: Map<string, Stored>;
}

export class Indexes {
  readonly #indexes = new Map<string, Index>();
  readonly aliases = new Map<string, string>();
  /** Elasticsearch's inference endpoints, and OpenSearch's search pipelines. */
  readonly endpoints = new Map<string, JsonObject>();
  readonly pipelines = new Map<string, JsonObject>();
  #sequence = 0;

  names(): readonly string[] {
    return [...this.#indexes.keys()];
  }

  has(name: string): boolean {
    return this.#indexes.has(this.aliases.get(name) ?? name);
  }

  create(name: string, body: JsonObject): void {
    if (this.has(name)) {
      throw new FakeProblem(400, `index [${name}] already exists`, 'resource_already_exists_exception');
    }
    this.#indexes.set(name, { body, documents: new Map() });
  }

  mappingOf(name: string): unknown {
    return this.#named(name).body['mappings'] ?? {};
  }

  drop(name: string): void {
    this.#named(name);
    this.#indexes.delete(name);
    for (const [alias, index] of this.aliases) if (index === name) this.aliases.delete(alias);
  }

  documents(name: string): ReadonlyMap<string, Stored> {
    return this.#named(name).documents;
  }

  newId(): string {
    this.#sequence += 1;
    return `auto-${this.#sequence}`;
  }

  /** Makes the index where there is none, as both products do. */
  put(name: string, id: string, source: JsonObject): Stored {
    if (!this.has(name)) this.create(name, {});
    const { documents } = this.#named(name);
    const stored = {
      source,
      version: (documents.get(id)?.version ?? 0) + 1,
      sequence: (this.#sequence += 1),
    };
    documents.set(id, stored);
    return stored;
  }

  remove(name: string, id: string): Stored | undefined {
    const { documents } = this.#named(name);
    const found = documents.get(id);
    documents.delete(id);
    return found;
  }

  /** Every document of the indexes that a path names: one, several with commas, or `_all`. */
  matching(names: string, query: unknown): readonly Found[] {
    const wanted = names === '_all' ? this.names() : names.split(',').flatMap((name) => this.expand(name));
    return wanted.flatMap((index) =>
      [...this.#named(index).documents]
        .filter(([id, { source }]) => fits(id, source, query))
        .map(([id, stored]) => ({ index, id, stored })),
    );
  }

  expand(name: string): readonly string[] {
    if (!name.includes('*')) return [this.aliases.get(name) ?? name];
    const pattern = new RegExp(`^${name.replaceAll('*', '.*')}$`);
    return this.names().filter((index) => pattern.test(index));
  }

  #named(name: string): Index {
    const found = this.#indexes.get(this.aliases.get(name) ?? name);
    if (found === undefined)
      throw new FakeProblem(404, `no such index [${name}]`, 'index_not_found_exception');
    return found;
  }
}

/** `action.destructive_requires_name`, on by default: whole names only. */
export function deleteIndexes(indexes: Indexes, names: string): void {
  if (names === '_all' || names.includes('*')) {
    throw new FakeProblem(
      400,
      'Wildcard expressions or all indices are not allowed',
      'illegal_argument_exception',
    );
  }
  for (const name of names.split(',')) indexes.drop(name);
}

/** One action of `_aliases`; `remove_index` destroys. */
export function aliasAction(indexes: Indexes, action: JsonObject): void {
  const { add, remove, remove_index: destroyed, ...unknown } = action;
  if (Object.keys(unknown).length > 0) {
    throw new FakeProblem(400, `unknown action ${Object.keys(unknown).join()}`, 'illegal_argument_exception');
  }
  if (add !== undefined) {
    const { index, alias } = asObject(add);
    indexes.documents(asText(index));
    indexes.aliases.set(asText(alias), asText(index));
  }
  if (remove !== undefined) indexes.aliases.delete(asText(asObject(remove)['alias']));
  if (destroyed !== undefined) indexes.drop(asText(asObject(destroyed)['index']));
}

/** Whether a document is found by a query. What is not known is refused, never taken for everything. */
function fits(id: string, source: JsonObject, query: unknown): boolean {
  if (query === undefined || query === null) return true;
  return Object.entries(asObject(query)).every(([kind, body]) => {
    const test = QUERIES[kind];
    if (test === undefined) throw new FakeProblem(400, `unknown query [${kind}]`, 'parsing_exception');
    return test(id, source, asObject(body));
  });
}

type Test = (id: string, source: JsonObject, body: JsonObject) => boolean;

const QUERIES: Readonly<Record<string, Test>> = {
  match_all: () => true,
  match_none: () => false,
  match: (_, source, body) =>
    oneField(body, (field, value) => sharesWord(memberOf(source, field), valueOf(value, 'query'))),
  multi_match: (_, source, { query, fields }) =>
    asList(fields).some((field) => sharesWord(memberOf(source, asText(field)), query)),
  term: (_, source, body) => oneField(body, (field, value) => has(source, field, valueOf(value, 'value'))),
  terms: (_, source, body) =>
    oneField(body, (field, values) => asList(values).some((value) => has(source, field, value))),
  exists: (_, source, { field }) => memberOf(source, asText(field)) !== undefined,
  ids: (id, _, { values }) => asList(values).includes(id),
  range: (_, source, body) =>
    oneField(body, (field, bounds) => {
      const value = Number(memberOf(source, field));
      const { gt, gte, lt, lte, ...unknown } = asObject(bounds);
      if (Object.keys(unknown).length > 0) throw new FakeProblem(400, 'unknown bound', 'parsing_exception');
      return (
        (gt === undefined || value > Number(gt)) &&
        (gte === undefined || value >= Number(gte)) &&
        (lt === undefined || value < Number(lt)) &&
        (lte === undefined || value <= Number(lte))
      );
    }),
  bool: (id, source, { must, filter, should, must_not: mustNot, ...unknown }) => {
    if (Object.keys(unknown).length > 0) throw new FakeProblem(400, 'unknown clause', 'parsing_exception');
    const test = (query: unknown): boolean => fits(id, source, query);
    return (
      [...listed(must), ...listed(filter)].every(test) &&
      (should === undefined || must !== undefined || filter !== undefined || listed(should).some(test)) &&
      !listed(mustNot).some(test)
    );
  },
};

function listed(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function oneField(body: JsonObject, test: (field: string, value: unknown) => boolean): boolean {
  return Object.entries(body).every(([field, value]) => test(field, value));
}

function valueOf(value: unknown, member: string): unknown {
  return typeof value === 'object' && value !== null ? memberOf(value, member) : value;
}

function has(source: JsonObject, field: string, value: unknown): boolean {
  const stored = memberOf(source, field.replace(/\.keyword$/, ''));
  return Array.isArray(stored) ? stored.includes(value) : stored === value;
}

function sharesWord(stored: unknown, asked: unknown): boolean {
  const words = new Set(wordsIn(stored));
  return wordsIn(asked).some((word) => words.has(word));
}

function wordsIn(value: unknown): readonly string[] {
  return (
    asText(value ?? '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}
