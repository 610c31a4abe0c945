import { TOLERANCE_MAX } from '@countersign/ledger/model-compare';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { PROBE_LIMITS } from '../core/probe-limits.ts';
import { canonical, parseResources } from './parse.ts';
import { referenceProblems } from './references.ts';
import { ResourceView } from './view.ts';

const CONNECTION = `kind: Connection
name: reranker
protocol: http
target: { url: 'http://127.0.0.1:8080', tls: disable }
credential: { scheme: none }
`;

/** What is wrong, each with its line; the probes begin on line 6. */
function problemsOf(probes: string): readonly string[] {
  try {
    parseResources(`${CONNECTION}probes:\n${probes}`);
    return [];
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    return (error.problems ?? []).map(({ line, says }) => `${line}: ${says}`);
  }
}

describe('probes of a connection', () => {
  it('are off unless they are named, and leave the resource as it was', () => {
    const [document] = parseResources(CONNECTION);
    if (document === undefined) throw new Error('none');
    expect(canonical(document)).not.toContain('probes');
    expect(parseResources(`${CONNECTION}probes: { identity: tei, reviewers: [ana] }`)).toMatchObject([
      { probes: { identity: 'tei', every: '1h', reviewers: ['ana'] } },
    ]);
  });

  it.each<[string, string, readonly (string | RegExp)[]]>([
    [
      'nothing to look at',
      '  reviewers: [ana]',
      ['6: probes says neither identity nor canary, so that nothing would be looked at'],
    ],
    ['nobody who is told', '  identity: tei', [/^6: .*reviewers/]],
    ['an empty list of who is told', '  identity: tei\n  reviewers: []', [/^8: .*reviewers/]],
    ['a service that nobody knows', '  identity: oracle\n  reviewers: [ana]', [/^7: .*identity/]],
    ['a canary in a dialect without one', '  canary: bedrock\n  reviewers: [ana]', [/^7: .*canary/]],
    ['true in place of a dialect', '  canary: true\n  reviewers: [ana]', [/^7: .*canary/]],
    [
      'no model where one is named in each call',
      '  canary: cohere-v2\n  reviewers: [ana]',
      ['6: probes.model is missing, and canary: cohere-v2 asks for one'],
    ],
    [
      'no model where one is named in paths too',
      '  canary: cohere-v2\n  identity: cohere-v2\n  reviewers: [ana]',
      ['6: probes.model is missing, and identity: cohere-v2 and canary: cohere-v2 asks for one'],
    ],
    [
      'an interval that is none',
      '  identity: tei\n  every: often\n  reviewers: [ana]',
      [/^8: probes.every: expected a duration/],
    ],
    [
      'an interval that storms',
      '  identity: tei\n  every: 59s\n  reviewers: [ana]',
      ['8: probes.every is 1 minute at least and 24 hours at most'],
    ],
    [
      'an interval that sleeps',
      '  identity: tei\n  every: 2d\n  reviewers: [ana]',
      ['8: probes.every is 1 minute at least and 24 hours at most'],
    ],
    [
      'a tolerance that sees nothing',
      "  canary: tei\n  tolerance: '0.051'\n  reviewers: [ana]",
      [/^8: probes.tolerance is 0.05 at most/],
    ],
    [
      'a tolerance of nothing',
      "  identity: tei\n  tolerance: '0.001'\n  reviewers: [ana]",
      [/^8: probes.tolerance is of a canary/],
    ],
    [
      'a tolerance that is no decimal',
      "  canary: tei\n  tolerance: '1e-3'\n  reviewers: [ana]",
      [/^8: .*tolerance/],
    ],
    ['a model with a blank', '  identity: tei\n  model: a b\n  reviewers: [ana]', [/^8: .*model/]],
    ['a word that nobody knows', '  identity: tei\n  prober: x\n  reviewers: [ana]', [/^8: .*prober/]],
    [
      'two mistakes',
      '  identity: tei\n  every: often\n  tolerance: 0.9\n  reviewers: [ana]',
      [/^9: the YAML cannot be read: a number/],
    ],
  ])('are refused with %s', (_, probes, expected) => {
    const problems = problemsOf(probes);
    expect(problems).toHaveLength(expected.length);
    for (const [at, one] of expected.entries()) expect(problems[at]).toMatch(one);
  });

  it('are refused where requests have to be signed, which they are not', () => {
    const signed = `kind: Connection
name: bedrock
protocol: http
target: { url: 'https://bedrock.example' }
credential: { scheme: sigv4, accessKeyId: AKIAIOSFODNN7EXAMPLE, region: eu-central-1, service: bedrock, password: { env: X } }
probes: { identity: tei, reviewers: [ana] }`;
    expect(() => parseResources(signed)).toThrow(/probes are not signed/);
    expect(parseResources(signed.replace(/\nprobes.*/, ''))).toHaveLength(1);
  });

  it('are refused on a connection to a database', () => {
    const database = `kind: Connection
name: db
protocol: postgres
target: { host: h, database: d }
credential: { user: u }
probes: { identity: tei, reviewers: [ana] }`;
    expect(() => parseResources(database)).toThrow(/probes/);
  });

  it('are refused where who is told is not there', () => {
    const people = 'kind: Person\nname: ana\n';
    const problemsWith = (reviewers: string): unknown => {
      const documents = parseResources(
        `${people}displayName: Ana\n---\n${CONNECTION}probes: { identity: tei, reviewers: ${reviewers} }`,
      );
      const about = { version: 1, digest: '', changedUs: 0, changedBy: 'x' };
      const stored = documents.map((document) => ({ document, ...about }));
      return referenceProblems(new ResourceView(stored));
    };
    expect(problemsWith('[ana, "group:administrators"]')).toEqual([]);
    expect(problemsWith('[ana, bo, "group:owners"]')).toMatchObject([
      { kind: 'Connection', name: 'reranker', path: ['probes', 'reviewers', '1'] },
      { path: ['probes', 'reviewers', '2'] },
    ]);
  });

  it('have the bound that the specification has', () => {
    expect(PROBE_LIMITS.toleranceMax).toBe(TOLERANCE_MAX);
    expect(PROBE_LIMITS.tolerance).toBeLessThan(TOLERANCE_MAX);
  });
});
