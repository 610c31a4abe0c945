/**
 * What a test needs and a machine may lack.
 *
 * On a stranger's machine such a test is skipped; under COUNTERSIGN_CI=1 a missing part is an error,
 * because there everything has been installed and nothing may be skipped.
 */
export function requirePresent(what: string, present: boolean): boolean {
  if (!present && process.env['COUNTERSIGN_CI'] === '1') {
    throw new Error(`${what} is missing, and COUNTERSIGN_CI=1 lets no test be skipped.`);
  }
  return present;
}
