/** What `mask preview` prints: lists of columns, cut to the width of a terminal, and what was not looked at. */

import type { MaskPreviewAnswer } from '../api/answers.ts';
import { safeText } from '../recording/table-text.ts';
import { columnsWithin, counted, oneLine } from './output.ts';

const CHARACTERS_MAX = 100;
/** Lines of one list; --json has all. */
const ROWS_MAX = 50;
const ENTITIES_CHARACTERS_MAX = 90;

type Uncovered = MaskPreviewAnswer['uncovered'][number];

const REASONS: Readonly<Record<string, string>> = {
  type: 'of types that are not looked into',
  'no-right': 'that the role of the gateway may not read',
  foreign: 'of foreign tables',
  failed: 'of tables that could not be read (row security, a lock, a time limit)',
  limit: 'beyond the limit of a preview',
  time: 'for which there was no time',
};

export function previewLines(answer: MaskPreviewAnswer): readonly string[] {
  const found = answer.uncovered.filter((one) => one.found.length > 0);
  const shown = found.filter((one) => one.found.some(({ values, covered }) => covered < values));
  const hidden = found.filter((one) => !shown.includes(one));
  const named = answer.uncovered.filter((one) => one.found.length === 0);
  return [
    ...headLines(answer),
    ...maskedLines(answer),
    ...detectingLines(answer),
    ...unreachableLines(answer),
    ...foundLines('Found in samples, and shown', shown, 'Nothing that is shown was found in samples.'),
    ...foundLines('Found in samples, and hidden by detecting Masks', hidden),
    ...namedLines(named),
    ...footLines(answer),
  ];
}

function headLines({ connection, database, serverVersion, for: person, letIn }: MaskPreviewAnswer): string[] {
  const whom = person === undefined ? 'everybody' : person;
  const isOut = letIn === false ? ', whom no Access resource lets in' : '';
  return [
    safeText(
      `Connection ${connection}, database ${database}, PostgreSQL ${serverVersion}; for ${whom}${isOut}`,
    ),
  ];
}

function maskedLines({ masked }: MaskPreviewAnswer): string[] {
  if (masked.length === 0) return ['', 'No column is masked by its name.'];
  const rows = masked.map((one) => [
    qualified(one),
    `${one.mask} v${one.version}${one.masks.length > 1 ? ` +${one.masks.length - 1}` : ''}`,
    one.operator,
    one.entity,
    one.mode === 'permissive' ? `${one.how}, permissive` : one.how,
  ]);
  const head = ['COLUMN', 'MASK', 'OPERATOR', 'ENTITY', 'HOW'];
  return table(`Masked columns: ${masked.length}`, head, rows, ['COLUMN', 'MASK', 'ENTITY']);
}

function detectingLines({ detecting }: MaskPreviewAnswer): string[] {
  if (detecting.length === 0) return ['', 'No Mask looks through texts for what values look like.'];
  const lines = detecting.map(({ mask, version, operator, entities }) => {
    const names = oneLine(entities.join(', '), ENTITIES_CHARACTERS_MAX - mask.length - operator.length);
    return `  ${safeText(`${mask} v${version}`)} ${operator}: ${names}`;
  });
  return ['', 'Texts in other columns are looked through by:', ...lines];
}

function unreachableLines({ unreachable }: MaskPreviewAnswer): string[] {
  if (unreachable.length === 0) return [];
  const lines = unreachable.map(({ pattern, masks, kind, views }) => {
    const why =
      kind === 'nothing'
        ? 'no table has such a column'
        : `a view (${views.join(', ')}): name the columns of its tables`;
    return `  ${oneLine(`${pattern} of ${masks.join(', ')}: ${why}`, CHARACTERS_MAX - 2)}`;
  });
  return ['', 'Patterns that mask nothing:', ...some(lines)];
}

function foundLines(title: string, rows: readonly Uncovered[], nothing?: string): string[] {
  if (rows.length === 0) return nothing === undefined ? [] : ['', nothing];
  const lines = rows
    .toSorted((one, other) => shareShown(other) - shareShown(one))
    .flatMap((one) =>
      one.found.map(({ entity, values, covered, masks }) => [
        qualified(one),
        one.type,
        entity,
        `${values} of ${one.sampled}`,
        covered === 0 ? '-' : `${covered} by ${masks.join(', ')}`,
      ]),
    );
  const head = ['COLUMN', 'TYPE', 'FOUND', 'VALUES', 'HIDDEN'];
  return table(`${title}: ${counted(rows.length, 'column', 'columns')}`, head, lines, [
    'COLUMN',
    'TYPE',
    'FOUND',
    'HIDDEN',
  ]);
}

function namedLines(named: readonly Uncovered[]): string[] {
  if (named.length === 0) return [];
  const rows = named.map((one) => [
    qualified(one),
    one.type,
    one.looksLike.join(', '),
    one.sampled === 0 ? 'no values' : `${one.sampled} values`,
  ]);
  const title = `Not masked, nothing found, but a name that says something: ${named.length}`;
  return table(title, ['COLUMN', 'TYPE', 'NAME SAYS', 'SAMPLED'], rows, ['COLUMN', 'TYPE', 'NAME SAYS']);
}

function footLines({ columns: { all, sampled, notSampled }, more }: MaskPreviewAnswer): string[] {
  const left = Object.entries(notSampled).map(([reason, count]) => `  ${count} ${REASONS[reason] ?? reason}`);
  return [
    '',
    `${counted(all, 'column', 'columns')} in tables; samples of ${sampled} were looked through.`,
    ...(left.length === 0 ? [] : ['Not looked through, beside masked columns:', ...left]),
    ...(more === 0 ? [] : [`${more} more were left out of these lists.`]),
    'A sample that shows nothing proves nothing: name columns that you know.',
  ];
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  cut: readonly string[],
): string[] {
  const [heads = '', ...lines] = columnsWithin(CHARACTERS_MAX, head, rows.slice(0, ROWS_MAX), cut);
  return ['', title, heads, ...lines, ...moreLine(rows.length)];
}

function some(lines: readonly string[]): readonly string[] {
  return [...lines.slice(0, ROWS_MAX), ...moreLine(lines.length)];
}

function moreLine(length: number): readonly string[] {
  return length > ROWS_MAX ? [`… and ${length - ROWS_MAX} more; --json has them`] : [];
}

function shareShown({ sampled, found }: Uncovered): number {
  return Math.max(...found.map(({ values, covered }) => (values - covered) / Math.max(1, sampled)));
}

/** As a Mask writes it. */
function qualified(one: {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}): string {
  return [one.schema, one.table, one.column].map(part).join('.');
}

function part(name: string): string {
  return /^[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*$/.test(name)
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}
