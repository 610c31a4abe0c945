/** What an error of the file system means. */

/** Whether there is no such file or directory. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
