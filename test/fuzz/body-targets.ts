/** What comes as the content of a request or an answer: JSON that is read, and contents that are masked. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import type { BodyFormat } from '../../packages/gateway/src/masking/bodies/body-format.ts';
import { bodyMasker } from '../../packages/gateway/src/masking/bodies/body-masker.ts';
import {
  bodyMask,
  LOOKS,
  maskedPieces,
  planOf,
  toolsOf,
} from '../../packages/gateway/src/masking/bodies/testing-bodies.ts';
import { parseJson } from '../../packages/gateway/src/protocols/http/json/parse-json.ts';
import { mutate, type Random, split } from './random.ts';
import type { Target } from './target.ts';

const encoder = new TextEncoder();
const CANARY = 'maier.canary@example.org';
const FIELDS = ['/email', '/**/name', '/list/1', '/users/*#'] as const;
const OPERATORS = ['redact', 'mask', 'partial', 'hash', 'nullify', 'drop', 'fake'] as const;
const FORMATS: readonly BodyFormat[] = [
  'json',
  'json',
  'json-sequence',
  'event-stream',
  'form',
  'csv',
  'text',
];
const TOOLS = toolsOf();

/** A canary as somebody may write it in JSON. */
function spelled(random: Random): string {
  return Array.from(CANARY, (letter) => {
    if (!random.oneIn(4)) return letter;
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  }).join('');
}

function randomJson(random: Random, depth: number): string {
  const kind = random.below(depth > 4 ? 6 : 9);
  if (kind === 0) return random.pick(['true', 'false', 'null']);
  if (kind === 1) return random.pick(['0', '-1.50', '1e5', '4111111111111111', '18446744073709551615']);
  if (kind === 2) return `"mail ${spelled(random)} now"`;
  if (kind < 6) return random.pick(['""', '"a\\nb"', '"é😀"', '"\\ud83d\\ude00"', '"\\ud800"', '"x"']);
  const space = random.pick(['', ' ', '\n\t']);
  const items = Array.from({ length: random.below(5) }, () => {
    const value = randomJson(random, depth + 1);
    if (kind === 6) return value;
    const name = random.pick(['email', 'name', 'list', 'users', 'a', 'é', '\\u0061', spelled(random)]);
    return `"${name}"${space}:${value}`;
  });
  const inside = items.join(`${space},${space}`);
  return kind === 6 ? `[${space}${inside}]` : `{${inside}${space}}`;
}

function randomContent(format: BodyFormat, random: Random): string {
  const json = (): string => randomJson(random, 0);
  const lines = Array.from({ length: 1 + random.below(4) }, json);
  const end = random.pick(['\n', '\r\n']);
  switch (format) {
    case 'json':
      return json();
    case 'json-sequence':
      return lines.join(end);
    case 'event-stream':
      return lines
        .map(
          (line) =>
            `${random.pick(['id: 1', ': x', 'event: e'])}${end}data: ${line.replaceAll('\n', ' ')}${end}${end}`,
        )
        .join('');
    case 'form':
      return `email=${encodeURIComponent(CANARY)}&q=${random.pick(['a+b', '%zz', CANARY, '%C3%A9'])}&x`;
    case 'csv':
      return `id,email,note${end}1,"${CANARY}","a ""b"" ${CANARY}"${end}2,,${random.pick(['x', '', '"y\n"'])}${end}`;
    case 'text':
      return `hello ${CANARY} and ${random.pick(['4111 1111 1111 1111', 'nobody', CANARY])}.`;
    default:
      return format satisfies never;
  }
}

function isWithheld(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'CONTENT_WITHHELD';
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return {
      value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown,
    };
  } catch {
    return undefined;
  }
}

function readJson(random: Random): void {
  const bytes = mutate(encoder.encode(randomJson(random, 0)), random);
  const result = parseJson(bytes);
  const expected = parsed(bytes);
  if (result.kind === 'json') {
    ok(expected !== undefined, 'JSON.parse takes it, too');
    deepEqual([result.root.from >= 0, result.root.to <= bytes.length], [true, true]);
    return;
  }
  ok(
    expected === undefined || result.reason === 'duplicate-key',
    `JSON.parse refuses it, too: ${result.reason}`,
  );
  throw new CountersignError('CONTENT_WITHHELD', { format: 'JSON', reason: result.reason });
}

/** Whole, cut, and without the canary in any spelling. */
function maskContent(random: Random): void {
  const format = random.pick(FORMATS);
  const fields = format === 'text' ? [] : [bodyMask({ fields: [...FIELDS], as: random.pick(OPERATORS) })];
  const plan = planOf(...fields, LOOKS);
  const isChanged = random.oneIn(3);
  const content = encoder.encode(randomContent(format, random));
  const bytes = isChanged ? mutate(content, random) : content;
  let whole: Uint8Array | undefined;
  let refused: unknown;
  try {
    whole = maskedPieces(bodyMasker(format, plan, TOOLS), [bytes]);
  } catch (thrown) {
    refused = thrown;
  }
  let cut: Uint8Array | undefined;
  try {
    cut = maskedPieces(bodyMasker(format, plan, TOOLS), split(bytes, random));
  } catch (thrown) {
    ok(isWithheld(thrown), 'an error of our own');
  }
  equal(cut === undefined, whole === undefined, 'withheld however it is cut');
  if (whole === undefined) throw refused;
  deepEqual(Buffer.from(cut ?? []), Buffer.from(whole));
  if (isChanged) return;
  const text = new TextDecoder().decode(whole);
  const value = format === 'json' ? JSON.stringify(JSON.parse(text)) : text;
  ok(!/canary|%40example/i.test(text + value), 'the canary is gone');
}

export const BODY_TARGETS: readonly Target[] = [
  { name: 'JSON of a content', weight: 10, refusal: isWithheld, run: readJson },
  { name: 'content that is masked', weight: 6, refusal: isWithheld, run: maskContent },
];
