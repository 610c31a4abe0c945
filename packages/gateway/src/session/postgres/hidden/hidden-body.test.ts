/** What a leaf, and whoever is asked, are shown of a statement. */

import { describe, expect, it } from 'vitest';
import { HiddenTexts } from '../../../literals/hidden-texts.ts';
import { spooledReference } from '../operation-body.ts';
import { hideBody } from './hidden-body.ts';

const texts = new HiddenTexts();

function shown(text: Uint8Array | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text).toString();
}

describe('hideBody', () => {
  it('shows nobody a text that is only named, nor what is bound to it', () => {
    const sql = spooledReference(100_000, 'a'.repeat(64));
    for (const hiding of ['all', 'found'] as const) {
      const bound = hideBody({ sql, parameters: [{ text: 'kanarie' }, { null: true }] }, hiding, texts);
      expect(shown(bound.text)).toBe('[REDACTED]');
      expect(bound.body).toEqual({ sql, parameters: [{ text: '[REDACTED]' }, { null: true }] });
      expect(bound.clear?.['parameters']).toEqual([{ text: 'kanarie' }, { null: true }]);
      const alone = hideBody({ sql }, hiding, texts);
      expect(shown(alone.text)).toBe('[REDACTED]');
      expect(alone.body).toEqual({ sql });
    }
  });

  it('shows a text in which nothing is hidden as it is', () => {
    const body = { sql: 'select a from t where b = $1', parameters: [{ text: 'plain' }] };
    expect(hideBody(body, 'found', texts)).toEqual({ body, text: undefined });
  });

  it('shows the text with its literals hidden, also where only values are', () => {
    const sql = "select a from t where b = 'kanarie' and c = $1";
    const both = hideBody({ sql, parameters: [{ text: 'kanarie' }] }, 'all', texts);
    expect(shown(both.text)).toBe("select a from t where b = '[REDACTED]' and c = $1");
    expect(JSON.stringify(both.body)).not.toContain('kanarie');
  });
});
