/**
 * What a content is, by its Content-Type: RFC 9110, section 8.3.
 *
 * Undefined is what cannot be looked into: where masking applies it is withheld, and nowhere else is it touched.
 * So are HTML and XML, in which a character may be written as a reference, and every charset but UTF-8.
 */

export type BodyFormat = 'json' | 'json-sequence' | 'event-stream' | 'form' | 'csv' | 'text';

const FORMATS: ReadonlyMap<string, BodyFormat> = new Map(
  (
    [
      ['json', 'application/json text/json application/vnd.api+json'],
      [
        'json-sequence',
        'application/x-ndjson application/ndjson application/jsonl application/x-jsonl application/jsonlines application/x-jsonlines application/json-lines application/json-seq application/stream+json application/x-json-stream',
      ],
      ['event-stream', 'text/event-stream'],
      ['form', 'application/x-www-form-urlencoded'],
      ['csv', 'text/csv application/csv text/tab-separated-values'],
      ['text', 'text/plain text/markdown'],
    ] as const
  ).flatMap(([format, names]) => names.split(' ').map((name) => [name, format] as const)),
);

/** Structured suffixes: RFC 6839, and what Elasticsearch sends. */
const SUFFIXES: readonly (readonly [suffix: string, format: BodyFormat])[] = [
  ['+x-ndjson', 'json-sequence'],
  ['+ndjson', 'json-sequence'],
  ['+json-seq', 'json-sequence'],
  ['+json', 'json'],
];
const CHARSETS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

/** The format of a content that can be masked. Without a Content-Type it has to be JSON. */
export function bodyFormatOf(contentType: string | undefined): BodyFormat | undefined {
  if (contentType === undefined || contentType.trim() === '') return 'json';
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  if (parameters.some((parameter) => !isReadable(parameter))) return undefined;
  const name = type.trim();
  return FORMATS.get(name) ?? SUFFIXES.find(([suffix]) => name.endsWith(suffix))?.[1];
}

function isReadable(parameter: string): boolean {
  const [name = '', value = ''] = parameter.split('=');
  return name.trim() !== 'charset' || CHARSETS.has(value.trim().replaceAll('"', ''));
}
