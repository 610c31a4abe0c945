/** Documents of a call, as texts or as objects with fields. */

import type { Document } from './dialect.ts';
import { type Body, isObject } from './fields.ts';
import { Problem } from './problem.ts';
import { passageOf } from './words.ts';

/** A text and nothing else. */
export function textDocument(value: unknown, index: number, member: string): Document {
  if (typeof value !== 'string') {
    throw new Problem('invalid', `"${member}[${index}]" is not a string.`, `${member}.${index}`);
  }
  return { passage: passageOf(value), echo: value };
}

/**
 * An object whose named fields are ranked; `title` counts as a title where it is one of them. Without names:
 * `title` and `text`.
 */
export function fieldDocument(
  value: Body,
  index: number,
  member: string,
  names: readonly string[] | undefined,
): Document {
  const wanted = names ?? ['title', 'text'].filter((name) => typeof value[name] === 'string');
  const texts = wanted.map((name) => {
    const field = value[name];
    if (typeof field === 'string') return { name, field };
    if (typeof field === 'number' || typeof field === 'boolean') return { name, field: String(field) };
    throw new Problem(
      'invalid',
      `"${member}[${index}].${name}" is not a text.`,
      `${member}.${index}.${name}`,
    );
  });
  if (texts.length === 0) {
    throw new Problem('invalid', `"${member}[${index}]" has no "text".`, `${member}.${index}.text`);
  }
  const title = texts.find(({ name }) => name === 'title')?.field ?? '';
  const rest = texts.filter(({ name }) => name !== 'title').map(({ field }) => field);
  const whole = rest.join('\n');
  const passage = title === '' && texts.length === 1 ? passageOf(whole) : { title, text: whole };
  return { passage, echo: value };
}

export function anyDocument(
  value: unknown,
  index: number,
  member: string,
  names: readonly string[] | undefined,
): Document {
  return isObject(value) ? fieldDocument(value, index, member, names) : textDocument(value, index, member);
}
