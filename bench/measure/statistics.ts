/** Medians, spreads and percentiles of measured values, and how they are written. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Nearest rank: the smallest value that at least this share of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(sorted.length * share));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Of an even number of values, the mean of the two in the middle. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  return {
    median: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** `median (min–max)`; a dash where nothing was measured. */
export function formatSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '–';
  const { median, min, max } = spreadOf(values);
  if (values.length === 1) return median.toFixed(digits);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** The quotients of values that were measured in the same round. */
export function ratios(values: readonly number[], others: readonly number[]): number[] {
  return values.slice(0, others.length).map((value, round) => value / (others[round] ?? Number.NaN));
}
