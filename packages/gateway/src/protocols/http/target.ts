/**
 * The target of a request: path and query in the one form that is matched and forwarded.
 *
 * Spec: RFC 9112 §3.2 (origin-form), RFC 3986 §3.3 and §6.2.2 (normalisation).
 * Grammar: origin-form = 1*( "/" segment ) [ "?" query ].
 * Done: percent-encoded unreserved characters are decoded, hex digits are capitals, dot segments are
 * resolved, empty segments and the slash at the end are dropped.
 * Refused: absolute-form, authority-form and asterisk-form; a backslash, a control character, a space or a
 * byte above 126 as it is; `%2F`, `%5C` and encoded control characters in a path, which half of the servers
 * decode before they match; `..` above the root; a dot segment with path parameters (`..;a`), which some
 * servers take for one; a percent sign without two hex digits; a fragment.
 * Untrusted: every character.
 */

export interface NormalisedTarget {
  /** Begins with `/`, and ends with one only where it is the root. */
  readonly path: string;
  /** Without its `?`, as it came. */
  readonly query: string;
}

export type TargetResult =
  | ({ readonly kind: 'target' } & NormalisedTarget)
  | { readonly kind: 'malformed'; readonly reason: string };

/** Everything printable but space, `"`, `#`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|`, `}`. */
const PATH = /^[!$%&'()*+,\-./0-9:;=@A-Z_a-z~[\]]*$/;
/** Clients send more of these in a query than RFC 3986 has; none of them ends it. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
const DOT_WITH_PARAMETERS = /^\.{1,2};/;

/** The normalised target, or what is wrong with it. */
export function normaliseTarget(target: string): TargetResult {
  if (!target.startsWith('/')) return malformed('expected a target that begins with a slash');
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  if (!PATH.test(rawPath)) return malformed('its path has a character that must be percent-encoded');
  if (!QUERY.test(query)) return malformed('its query has a character that must be percent-encoded');
  if (BAD_ESCAPE.test(rawPath)) return malformed('its path has a percent sign without two hex digits');
  if (BAD_ESCAPE.test(query)) return malformed('its query has a percent sign without two hex digits');
  const decoded = decodeUnreserved(rawPath);
  if (decoded === undefined) {
    return malformed(
      'its path has an encoded slash, backslash or control character, which servers read differently',
    );
  }
  const segments = resolve(decoded.split('/'));
  if (segments === undefined) return malformed('its path leads above the root, or hides a dot segment');
  return { kind: 'target', path: `/${segments.join('/')}`, query };
}

/** The first segment, and the path behind it; undefined for the root. */
export function splitFirstSegment(
  path: string,
): { readonly first: string; readonly rest: string } | undefined {
  if (path === '/') return undefined;
  const end = path.indexOf('/', 1);
  return end < 0 ? { first: path.slice(1), rest: '/' } : { first: path.slice(1, end), rest: path.slice(end) };
}

/** Undefined where it has an escape that is refused. */
function decodeUnreserved(path: string): string | undefined {
  let refused = false;
  const decoded = path.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) => {
    const code = Number.parseInt(hex, 16);
    const character = String.fromCharCode(code);
    if (UNRESERVED.test(character)) return character;
    if (code < 0x20 || code === 0x7f || character === '/' || character === '\\') refused = true;
    return `%${hex.toUpperCase()}`;
  });
  return refused ? undefined : decoded;
}

/** Undefined where it leads above the root. */
function resolve(raw: readonly string[]): readonly string[] | undefined {
  const segments: string[] = [];
  for (const segment of raw) {
    if (DOT_WITH_PARAMETERS.test(segment)) return undefined;
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments;
}

function malformed(reason: string): TargetResult {
  return { kind: 'malformed', reason };
}
