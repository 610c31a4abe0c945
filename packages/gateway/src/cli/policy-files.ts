/**
 * Resources out of files, for decisions without a gateway: all of them, or everything that is wrong with them
 * with the line on which it stands.
 */

import { isAbsolute, join } from 'node:path';
import { type LocatedDocument, parseLocatedYaml } from '../config/yaml.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { ResourceDocument } from '../resources/documents.ts';
import { parseResource, resourceProblems } from '../resources/parse.ts';
import { referenceProblems } from '../resources/references.ts';
import { keyOf, ResourceView, type StoredResource } from '../resources/view.ts';
import { readText } from './secret-input.ts';

/** Something that is wrong with a file. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly says: string;
}

export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A resource that is not taken in yet, and where it stands. */
export interface PlacedDocument {
  readonly file: string;
  readonly document: LocatedDocument;
}

export interface LoadedResources {
  readonly view: ResourceView;
  /** Where each one stands: `Rule/no-drops`. */
  readonly places: ReadonlyMap<string, Place>;
  readonly problems: readonly FileProblem[];
}

/** The documents of a file, or its one problem. */
export async function readDocuments(file: string): Promise<readonly PlacedDocument[] | FileProblem> {
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    const reason = error instanceof CountersignError ? error.details['reason'] : undefined;
    return { file, line: 1, says: `it cannot be read: ${String(reason ?? reasonOf(error))}` };
  }
  const parsed = parseLocatedYaml(text);
  if (parsed.kind === 'problem') return { file, line: parsed.line, says: parsed.problem };
  return parsed.documents.map((document) => ({ file, document }));
}

export function isProblem(read: readonly PlacedDocument[] | FileProblem): read is FileProblem {
  return 'says' in read;
}

/** Takes them in as `apply` would on an installation that has nothing. */
export function takeIn(given: readonly PlacedDocument[]): LoadedResources {
  const problems: FileProblem[] = [];
  const places = new Map<string, Place>();
  const resources: StoredResource[] = [];
  for (const { file, document } of given) {
    const place = { file, line: document.lineOf([]) };
    const wrong = resourceProblems(document.value);
    if (wrong.length > 0) {
      problems.push(...wrong.map(({ path, says }) => ({ file, line: document.lineOf(path), says })));
      continue;
    }
    const resource = parseResource(document.value);
    const key = keyOf(resource);
    const before = places.get(key);
    if (before === undefined) {
      places.set(key, place);
      resources.push(stored(resource));
    } else {
      problems.push({ ...place, says: `${key} stands in ${before.file}:${before.line} already` });
    }
  }
  const view = new ResourceView(resources);
  // What is not there may be what could not be taken in.
  if (problems.length === 0) problems.push(...missing(view, places));
  return { view, places, problems };
}

/** A path that a file names, which starts at the directory of that file. */
export function pathFrom(directory: string, file: string): string {
  return isAbsolute(file) ? file : join(directory, file);
}

function missing(view: ResourceView, places: ReadonlyMap<string, Place>): readonly FileProblem[] {
  return referenceProblems(view).map(({ kind, name, reason }) => {
    const { file, line } = places.get(`${kind}/${name}`) ?? { file: '', line: 1 };
    return { file, line, says: `${kind} "${name}": ${reason}` };
  });
}

/** Version 0: no gateway has it. */
function stored(document: ResourceDocument): StoredResource {
  return { document, version: 0, digest: '', changedUs: 0, changedBy: '' };
}
