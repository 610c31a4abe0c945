import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANGE_OF_EFFECT } from '@countersign/ledger/change-kinds';
import { expect, it } from 'vitest';
import { EFFECTS } from '../core/effects.ts';

const SPEC = await readFile(join(import.meta.dirname, '../../../../spec/evidence.md'), 'utf8');

it('of every effect it is decided whether it is a change, as spec/evidence.md says', () => {
  expect([...CHANGE_OF_EFFECT.keys()].toSorted()).toEqual([...EFFECTS].toSorted());
  for (const [effect, kind] of CHANGE_OF_EFFECT) {
    const row = kind === undefined ? 'All other effects (' : `| \`${kind}\` | `;
    const line = SPEC.split('\n').find((text) => text.includes(row)) ?? '';
    const place = kind === undefined ? line.slice(line.indexOf(row)) : (line.split(' | ')[1] ?? '');
    expect(`${kind}: ${place}`).toContain(`\`${effect}\``);
  }
});
