/** For tests: the annotated corpora in test/data/masking, whose sources stand in SOURCES.md there. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { find, type Found } from './testing-scan.ts';
import type { Hints } from './scan-state.ts';

export interface Annotated {
  readonly text: string;
  /** From, to, label; code points. */
  readonly spans: readonly (readonly [number, number, string])[];
}

export interface PresidioCase {
  readonly entity: string;
  readonly text: string;
  readonly expected: readonly (readonly [number, number])[] | null;
}

export interface GitleaksCase {
  readonly rule: string;
  readonly text: string;
  readonly positive: boolean;
  readonly secret_spans?: readonly (readonly [number, number])[];
}

function textOf(name: string): string {
  const file = new URL(`../../../../../test/data/masking/${name}.json.gz`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString('utf8');
}

export function presidioResearch(): readonly Annotated[] {
  const corpus: { readonly samples: readonly Annotated[] } = JSON.parse(textOf('presidio-research-spans'));
  return corpus.samples;
}

export function presidioCases(): readonly PresidioCase[] {
  const corpus: { readonly cases: readonly PresidioCase[] } = JSON.parse(textOf('presidio-cases'));
  return corpus.cases;
}

export function gitleaksCases(): readonly GitleaksCase[] {
  const corpus: { readonly cases: readonly GitleaksCase[] } = JSON.parse(textOf('gitleaks-cases'));
  return corpus.cases;
}

/** Every text of the corpora. */
export function allTexts(): readonly string[] {
  return [...presidioResearch(), ...presidioCases(), ...gitleaksCases()].map(({ text }) => text);
}

/** What is found, with offsets in code points. */
export function findPoints(text: string, hints?: Hints): readonly Found[] {
  const points = new Map<number, number>();
  let bytes = 0;
  let count = 0;
  for (const character of text) {
    points.set(bytes, count);
    bytes += Buffer.byteLength(character);
    count += 1;
  }
  points.set(bytes, count);
  return find(text, hints).map((found) => ({
    ...found,
    from: points.get(found.from) ?? -1,
    to: points.get(found.to) ?? -1,
  }));
}
