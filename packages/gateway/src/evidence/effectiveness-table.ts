/** The form of what was measured of the detectors: a row for each entity, so that it can be read as a table. */

export const MEASURES = [
  'entity',
  'values',
  'true_positive',
  'in_part',
  'false_negative',
  'false_positive',
] as const;

export interface MeasuredBy {
  readonly command: string;
  readonly date: string;
  readonly machine: string;
  readonly detector_version: string;
}

export interface MeasuredTable {
  readonly corpus: string;
  readonly sha256: string;
  readonly how: string;
  /** In the order of {@link MEASURES}. */
  readonly entities: readonly (readonly (string | number)[])[];
}
