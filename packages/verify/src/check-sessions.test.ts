import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { describe, expect, it } from 'vitest';
import { Sessions } from './check-sessions.ts';
import { Findings } from './report.ts';

const SESSION = 'ses_00000000000000000000000000';

/** A session with a statement and two requests, whose end says what is given. */
function findingsOf(stated: Json): Findings {
  const findings = new Findings('sessions');
  const sessions = new Sessions(findings);
  const rows: readonly (readonly [type: string, ref?: number])[] = [
    ['session.start'],
    ['statement.intent'],
    ['statement.outcome', 1],
    ['http.intent'],
    ['http.outcome', 3],
    ['http.intent'],
    ['http.outcome', 5],
    ['session.end'],
  ];
  for (const [n, [type, ref]] of rows.entries()) {
    const leaf: Leaf = {
      v: 1,
      log: 'example.org/log',
      n,
      t: '2026-01-01T00:00:00.000000Z',
      boot: 'bot_00000000000000000000000000',
      type,
      kind: 'user',
      session: SESSION,
      seq: n,
      ...(ref === undefined ? {} : { ref }),
    };
    sessions.within(leaf, type === 'session.end' ? { statements: stated } : {});
  }
  sessions.finish();
  return findings;
}

describe('the end of a session', () => {
  it('says how many statements and requests there were', () => {
    const { problems, notes } = findingsOf(3).finish();
    expect([problems, notes]).toEqual([[], []]);
  });

  it('that does not count requests is of an older gateway, and that is said', () => {
    const { problems, notes } = findingsOf(1).finish();
    expect(problems).toEqual([]);
    expect(notes).toEqual(['ends of sessions that do not count requests over HTTP: 1 (leaf 7)']);
  });

  it.each([0, 2, 4, '3', null])('that says %j is refused', (stated) => {
    expect(findingsOf(stated).finish().problems).toEqual([
      `leaf 7 says that its session had ${JSON.stringify(stated)} statements, and it had 3`,
    ]);
  });
});
