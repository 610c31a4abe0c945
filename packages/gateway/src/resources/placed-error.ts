/** Where in a text stands what only all resources together tell. */

import { byLine, CountersignError, type ErrorProblem } from '../core/errors.ts';
import type { LocatedResources } from './parse.ts';

/** Does something with the resources of a text; what is wrong with them then has its line. */
export async function withLines<T>(
  located: LocatedResources,
  act: (documents: LocatedResources['documents']) => T | Promise<T>,
): Promise<T> {
  try {
    return await act(located.documents);
  } catch (error) {
    throw error instanceof CountersignError && error.code === 'RESOURCE_INVALID'
      ? placed(error, located)
      : error;
  }
}

function placed(error: CountersignError, { lineOf }: LocatedResources): CountersignError {
  const { code, details, cause } = error;
  const problems = problemsOf(error)
    .map((problem): ErrorProblem => {
      const { kind = '', name = '', path = [] } = problem;
      const line = problem.line ?? lineOf(kind, name, path);
      return line === undefined ? problem : { ...problem, line };
    })
    .toSorted(byLine);
  const { kind = '', name = '', line, says = '' } = problems[0] ?? {};
  const reason = `${says}${line === undefined ? '' : ` (line ${line})`}`;
  return new CountersignError(code, { ...details, kind, name, reason }, { cause, problems });
}

/** An error about one resource is its one problem. */
function problemsOf({ problems, details }: CountersignError): readonly ErrorProblem[] {
  if (problems.length > 0) return problems;
  const { kind = '', name = '', reason = '' } = details;
  return [{ kind: String(kind), name: String(name), path: [], says: String(reason) }];
}
