import { describe, expect, it } from 'vitest';
import { measureEffectiveness } from '../masking/detect/testing-effectiveness.ts';
import { Scanner } from '../masking/detect/scanner.ts';
import { DETECTOR_VERSION } from '../masking/detect/version.ts';
import { plantCanaries } from './canaries.ts';
import { effectivenessText, measuredCorpora } from './effectiveness.ts';
import { MEASURED_BY } from './measured-effectiveness.ts';

describe('masking-effectiveness.json', () => {
  it('has what the detectors of today find in the same corpora: raise DETECTOR_VERSION, and write it again', () => {
    expect(measuredCorpora()).toEqual(measureEffectiveness());
    expect(MEASURED_BY.detector_version).toBe(DETECTOR_VERSION);
  });

  it('is canonical, says how it was measured, and that no planted value was missed', () => {
    const said: { canaries: unknown; measured: Record<string, unknown> } = JSON.parse(effectivenessText());
    expect(said.canaries).toEqual({ planted: 13, found: 13, missed: [] });
    expect(said.measured).toMatchObject({
      command: expect.stringContaining('masking-effectiveness.ts'),
      date: expect.stringMatching(/^2[0-9]{3}-[0-9]{2}-[0-9]{2}$/),
      machine: expect.stringContaining('Node'),
    });
  });
});

describe('canaries', () => {
  it('are missed by name where the scanner finds nothing', () => {
    const blind = new Scanner();
    Object.defineProperty(blind, 'scan', { value: () => 0 });
    expect(plantCanaries(blind)).toMatchObject({
      found: 0,
      missed: expect.arrayContaining(['IBAN', 'SECRET']),
    });
  });
});
