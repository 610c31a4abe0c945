/**
 * Resources out of files, for decisions without a gateway: all of them, or everything that is wrong with them
 * with the line on which it stands.
 */

import { isAbsolute, join } from 'node:path';
import { type LocatedDocument, parseLocatedYaml } from '../config/yaml.ts';
import type { ResourceDocument } from '../resources/documents.ts';
import { parseResource, resourceProblems } from '../resources/parse.ts';
import { referenceProblems } from '../resources/references.ts';
import { keyOf, ResourceView, type StoredResource } from '../resources/view.ts';
import { type FileProblem, readFileText } from './file-problems.ts';

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

/** The documents of a file that can be read, and what is wrong with it. */
export interface ReadFile {
  readonly documents: readonly PlacedDocument[];
  readonly problems: readonly FileProblem[];
}

export async function readDocuments(file: string): Promise<ReadFile> {
  const read = await readFileText(file);
  if (!('text' in read)) return { documents: [], problems: [read] };
  const { text } = read;
  const parsed = parseLocatedYaml(text);
  const problems = parsed.kind === 'problem' ? parsed.problems : [];
  return {
    documents: parsed.documents.map((document) => ({ file, document })),
    problems: problems.map(({ line, problem: says }) => ({ file, line, says })),
  };
}

/** Takes them in as `apply` would on an installation that has nothing. */
export function takeIn(given: readonly PlacedDocument[]): LoadedResources {
  const problems: FileProblem[] = [];
  const places = new Map<string, Place>();
  const taken = new Map<string, PlacedDocument>();
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
      taken.set(key, { file, document });
      resources.push(stored(resource));
    } else {
      problems.push({ ...place, says: `${key} stands in ${before.file}:${before.line} already` });
    }
  }
  const view = new ResourceView(resources);
  // What is not there may be what could not be taken in.
  if (problems.length === 0) problems.push(...missing(view, taken));
  return { view, places, problems };
}

/** A path that a file names, which starts at the directory of that file. */
export function pathFrom(directory: string, file: string): string {
  return isAbsolute(file) ? file : join(directory, file);
}

function missing(view: ResourceView, taken: ReadonlyMap<string, PlacedDocument>): readonly FileProblem[] {
  return referenceProblems(view).map(({ kind, name, path, reason }) => {
    const { file = '', document } = taken.get(`${kind}/${name}`) ?? {};
    return { file, line: document?.lineOf(path) ?? 1, says: `${kind} "${name}": ${reason}` };
  });
}

/** Version 0: no gateway has it. */
function stored(document: ResourceDocument): StoredResource {
  return { document, version: 0, digest: '', changedUs: 0, changedBy: '' };
}
