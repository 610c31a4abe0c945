import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVENTS } from './events.ts';

const SPEC = await readFile(join(import.meta.dirname, '../../../spec/events.md'), 'utf8');

/** Cells of the rows whose first cell is in backticks, below a heading. */
function rows(heading: string): string[][] {
  const [, section = ''] = SPEC.split(`\n## ${heading}\n`);
  const [own = ''] = section.split('\n## ');
  return own
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

function quoted(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}

describe('the catalogue', () => {
  it('is the table of spec/events.md: types, wait classes, status values, fields', () => {
    const inSpec = rows('Types').map(([type, wait, status, , body]) => ({
      type: quoted(type)[0],
      wait,
      status: quoted(status),
      body: quoted(body),
    }));
    const inCode = Object.entries(EVENTS).map(([type, { wait, status, body }]) => ({
      type,
      wait,
      status: [...(status ?? [])],
      body: [...body],
    }));
    expect(inSpec).toEqual(inCode);
  });

  it('has each field once in the table of meanings, with its JSON type', () => {
    const described = rows('Fields').map(([field]) => quoted(field)[0]);
    const fields = new Set(Object.values(EVENTS).flatMap(({ body }) => body));
    expect(described).toEqual([...fields].toSorted());
    expect(
      rows('Fields').filter(
        ([, json, meaning]) =>
          !/^(string|integer|boolean|array|object)( or object)?$/.test(json ?? '') || meaning === '',
      ),
    ).toEqual([]);
  });

  it('says of every type when it is written', () => {
    expect(rows('Types').filter((cells) => (cells[3] ?? '') === '')).toEqual([]);
  });
});
