/** Masks, tools and contents for tests of bodies. */

import { Scanner, type ScannerOptions } from '../detect/scanner.ts';
import { joined } from '../operators/bytes.ts';
import { bytesOf, RING } from '../operators/testing-masks.ts';
import type { Mask } from '../plan/mask.ts';
import { masksOf } from '../plan/testing-plans.ts';
import { MaskCounts } from '../rows/mask-counts.ts';
import { MaskMemory } from '../rows/mask-memory.ts';
import type { BodyFormat } from './body-format.ts';
import type { BodyTools } from './body-leaves.ts';
import { type BodyMasker, bodyMasker } from './body-masker.ts';
import { BodyPlan } from './body-plan.ts';

/** A Mask without the parts that every test would repeat. */
export function bodyMask(more: Partial<Mask>): Mask {
  return { kind: 'Mask', name: 'm', on: [], who: [], unless: [], as: 'redact', ...more };
}

export const LOOKS: Mask = bodyMask({ name: 'looks', detect: ['all'] });

export function planOf(...masks: readonly Mask[]): BodyPlan {
  return new BodyPlan(masksOf(...masks));
}

export function toolsOf(scannerOptions: ScannerOptions = { regions: ['US', 'DE'] }): BodyTools {
  return {
    keys: RING,
    scanner: new Scanner(scannerOptions),
    scannerOptions,
    memory: new MaskMemory(),
    counts: new MaskCounts(),
  };
}

export function maskerOf(format: BodyFormat, ...masks: readonly Mask[]): BodyMasker {
  return bodyMasker(format, planOf(...masks), toolsOf());
}

/** The content in these pieces, masked. */
export function maskedPieces(masker: BodyMasker, pieces: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    // A copy that is written over: whoever sends chunks uses their memory again.
    const chunk = new Uint8Array(piece);
    const ready = masker.push(chunk).map((part) => new Uint8Array(part));
    chunk.fill(0x58);
    parts.push(...ready);
  }
  return joined([...parts, ...masker.finish()]);
}

export function maskedText(format: BodyFormat, text: string, ...masks: readonly Mask[]): string {
  const masked = maskedPieces(maskerOf(format, ...masks), [bytesOf(text)]);
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(masked);
}

/** The bytes cut at these places. */
export function cutAt(bytes: Uint8Array, ...places: readonly number[]): readonly Uint8Array[] {
  const cuts = [0, ...places, bytes.length];
  return cuts.slice(1).map((to, index) => bytes.subarray(cuts[index], to));
}
