/**
 * Which statements of a text the server is asked about, and how.
 *
 * A statement is analysed as it stands before the text runs. That is no answer behind one that changes what names
 * stand for (CREATE TABLE, SET search_path, RENAME). Where the ones before it bring no code, what they lead to is
 * there already, in some schema, or stands in the text itself: so every name and operator of the whole text is looked
 * up in all schemas, and where no code of users is behind any of them, the text hides nothing.
 */

import type { ReadText } from '../../../core/effects.ts';
import { type ServerQuestion, serverQuestion } from '../../../sql/inner-query.ts';
import { type NamesInText, namesInText } from '../../../sql/server-tree/names.ts';
import type { AskedText } from './ask-server.ts';
import { bringsNoCode, changesNames } from './changes-names.ts';

export type Step =
  | { readonly kind: 'none' }
  /** @property text the index of its text among those that are asked about */
  | { readonly kind: 'tree'; readonly text: number; readonly question: AskedText['question'] }
  | { readonly kind: 'names' }
  | { readonly kind: 'unknown' };

export interface Plan {
  /** One for each statement. */
  readonly steps: readonly Step[];
  readonly texts: readonly AskedText[];
  /** Whether the server was where it says. */
  readonly isAskable: boolean;
  /** Undefined where no statement needs them. */
  readonly names: NamesInText | undefined;
}

interface Planned {
  readonly read: Extract<ReadText, { readonly kind: 'read' }>;
  readonly textBytes: Uint8Array;
  readonly parameterTypeOids: readonly number[];
}

/**
 * @property isAskable whether the server is where it says
 * @property isOpen whether names change back when the transaction ends
 */
export function planOf(
  { read, textBytes, parameterTypeOids }: Planned,
  { isAskable, isOpen }: { readonly isAskable: boolean; readonly isOpen: boolean },
): Plan {
  const texts: AskedText[] = [];
  let how: Step['kind'] = isAskable ? 'tree' : 'unknown';
  const steps = read.statements.map((statement): Step => {
    const question = serverQuestion(statement, textBytes);
    const step = stepOf(question, how, texts.length);
    if (step.kind === 'tree') texts.push({ question: step.question, parameterTypeOids });
    if (statement.transaction !== undefined && isOpen) how = 'unknown';
    if (changesNames(statement) && how !== 'unknown') how = bringsNoCode(statement) ? 'names' : 'unknown';
    return step;
  });
  if (!steps.some(({ kind }) => kind === 'names')) return { steps, texts, isAskable, names: undefined };
  const names = namesInText(textBytes);
  const unnamed = steps.map((step): Step => (step.kind === 'names' ? { kind: 'unknown' } : step));
  return { steps: names === undefined ? unnamed : steps, texts, isAskable, names };
}

function stepOf(question: ServerQuestion, how: Step['kind'], text: number): Step {
  if (question.kind === 'none') return { kind: 'none' };
  if (how === 'names') return { kind: 'names' };
  if (how === 'unknown' || question.kind === 'unknown') return { kind: 'unknown' };
  return { kind: 'tree', text, question };
}
