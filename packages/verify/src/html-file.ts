/** Where verify.html lies: for a package, which carries it, and for the command line. */

/** Beside `src` and `dist`, so that it is the same from both. */
export const VERIFY_HTML: URL = new URL('../verify.html', import.meta.url);
