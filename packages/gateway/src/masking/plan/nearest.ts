/** The known word that somebody probably meant. */

/** The nearest of the words, where one is near enough to be a slip of the hand. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const distanceMax = word.length <= 4 ? 1 : 2;
  let best: string | undefined;
  let least = distanceMax + 1;
  for (const candidate of known) {
    const distance = distanceOf(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** How many characters are another one, too many, missing, or swapped with their neighbour. */
export function distanceOf(one: string, other: string): number {
  let before: number[] = [];
  let above: number[] = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1;
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      line.push(
        Math.min(
          (line[column - 1] ?? 0) + 1,
          (above[column] ?? 0) + 1,
          (above[column - 1] ?? 0) + same,
          isSwap && row > 1 && column > 1 ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [before, above] = [above, line];
  }
  return above[other.length] ?? 0;
}
