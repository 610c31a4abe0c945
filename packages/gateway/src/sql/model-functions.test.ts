/** spec/policy.md §2: `egress:model`. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { modelEffects } from './model-functions.ts';
import { openParser, type Parser } from './parser.ts';
import { readText } from './read-text.ts';

let parser: Parser;

beforeAll(async () => {
  const file = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm');
  parser = await openParser(await readFile(file));
});

function effectsOf(sql: string): readonly string[] {
  const read = readText(Buffer.from(sql), parser);
  if (read.kind !== 'read') throw new Error(read.kind);
  return read.statements.flatMap(({ effects }) => effects.map(({ effect }) => effect));
}

describe('a call of a function that sends rows to a model', () => {
  it.each([
    "select ai.cohere_rerank('rerank-v3.5', $1, array_agg(body)) from documents",
    "select ai.voyageai_rerank_simple('rerank-2', 'q', array['a'])",
    "select cohere_rerank('m', 'q', array['a'])",
    "select aidb.rerank_text('q', array['a'])",
    "select aidb.encode_text('m', body) from documents",
    "select google_ml.rank('m', 'q', array['a'])",
    "select ai.rank(model_id => 'm')",
    "select azure_ai.rank('q', array['a'])",
    "select pgml.rank('m', 'q', array['a'])",
    "select net.http_post('https://example.com', '{}')",
    "select * from http_get('https://example.com')",
    "select AI.\"Cohere_Rerank\"('m', 'q', array['a'])",
    'select ai_rerank(1)',
  ])('is tagged: %s', (sql) => {
    expect(effectsOf(sql)).toContain('egress:model');
    // It is still a function of which nobody knows what else it does.
    expect(effectsOf(sql)).toContain('function-unknown');
  });

  it.each(["select aidb.create_model('m', 'p')", "select pgml.train('p')", "select pgml.deploy('p')"])(
    'may change the model too: %s',
    (sql) => {
      expect(effectsOf(sql)).toEqual(expect.arrayContaining(['egress:model', 'model-change']));
    },
  );

  it.each([
    'select rank() over (order by a) from t',
    'select similarity(a, b) from t',
    'select lower(a) from t',
    'select app.train(1)',
    'select my.rank(1)',
  ])('is no other: %s', (sql) => {
    expect(effectsOf(sql)).not.toContain('egress:model');
  });

  it('is no name of an object', () => {
    expect(modelEffects({ schema: undefined, name: '__proto__' })).toEqual([]);
    expect(modelEffects({ schema: '__proto__', name: 'constructor' })).toEqual([]);
  });
});
