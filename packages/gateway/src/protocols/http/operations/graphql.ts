/**
 * What a GraphQL text asks of Weaviate: which classes it reads, and whether a model orders what it finds.
 *
 * Spec: GraphQL October 2021 (https://spec.graphql.org/October2021/), section 2.1: the tokens only. Weaviate has the
 * root fields Get, Aggregate and Explore, and nothing that writes.
 * Refused (not understood): any other root field, fragments, mutations, subscriptions, a text that is too long.
 * Untrusted: the text.
 */

import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';

export interface GraphqlReading {
  /** Names of classes, in the order of the text. */
  readonly classes: readonly string[];
  readonly reranks: boolean;
  /** Objects that it asks for at most; undefined where one of the classes has no limit. */
  readonly asked: number | undefined;
}

const TOKEN =
  /"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|#[^\n\r]*|\.\.\.|[A-Za-z_][A-Za-z0-9_]*|[{}()[\]:$!@=|&]|-?[0-9][0-9.eE+-]*|[\s,\uFEFF]+/y;
const ROOTS: ReadonlySet<string> = new Set(['Get', 'Aggregate', 'Explore']);
const NAME = /^[A-Za-z_]/;

/** Undefined where it is not understood. */
export function readGraphql(text: string): GraphqlReading | undefined {
  const tokens = tokensOf(text);
  if (tokens === undefined) return undefined;
  const classes: string[] = [];
  let reranks = false;
  let asked = 0;
  let limited = 0;
  // Braces around what stands here; arguments have braces of their own, which do not count.
  let depth = 0;
  let parentheses = 0;
  let inValue = 0;
  let root = '';
  for (const [at, token] of tokens.entries()) {
    if (token === '(') parentheses += 1;
    else if (token === ')') parentheses -= 1;
    else if (parentheses > 0) {
      if (token === '{' || token === '[') inValue += 1;
      if (token === '}' || token === ']') inValue -= 1;
      const isArgument = depth === 2 && parentheses === 1 && inValue === 0;
      const isLimit = isArgument && token === 'limit' && tokens[at + 1] === ':';
      const number = isLimit ? (tokens[at + 2] ?? '') : '';
      if (!/^[0-9]{1,15}$/.test(number)) continue;
      asked += Number(number);
      limited += 1;
    } else if (token === '{') depth += 1;
    else if (token === '}') depth -= 1;
    else if (token === '...' || token === 'fragment') return undefined;
    else if (depth === 0 && (token === 'mutation' || token === 'subscription')) return undefined;
    else if (NAME.test(token) && tokens[at + 1] !== ':') {
      if (depth === 1) {
        if (!ROOTS.has(token)) return undefined;
        root = token;
      } else if (depth === 2 && root !== 'Explore') classes.push(token);
      else if (depth > 2 && token === 'rerank') reranks = true;
    }
    if (depth < 0 || parentheses < 0) return undefined;
  }
  if (depth !== 0 || parentheses !== 0 || root === '') return undefined;
  return { classes, reranks, asked: limited === classes.length && limited > 0 ? asked : undefined };
}

function tokensOf(text: string): readonly string[] | undefined {
  if (text.length > HTTP_OPERATION_LIMITS.graphqlCharactersMax) return undefined;
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const found = TOKEN.exec(text);
    if (found === null) return undefined;
    const [token] = found;
    if (!/^[\s,#\uFEFF]/.test(token)) tokens.push(token);
  }
  return tokens;
}
