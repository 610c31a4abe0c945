/**
 * verify.html: the verifier as one page that opens from disk.
 *
 * Everything of a package is shown as text and never as markup. Untrusted: the file that is dropped.
 */

import { type Check, reasonOf, type Report } from '../report.ts';
import { verifyPackage } from '../verify-package.ts';
import { blobSource, supportsEd25519, webHost } from '../web-host.ts';

const UNSUPPORTED =
  'This browser cannot check Ed25519 signatures. Use a current Firefox, Chrome, Edge or Safari, or countersign-verify.';

const VERDICTS = {
  verified: ['Verified', 'Everything in the package follows from the log of the key that you gave.'],
  consistent: [
    'Consistent, key not confirmed',
    'The package is whole, but its key came with it. Compare the fingerprint below with one that you received by another way, or give the key above.',
  ],
  failed: ['Failed', 'Do not rely on this package.'],
  unreadable: ['Not a package', 'The file is no zip. Nothing was checked.'],
} as const;

const MARKS = { passed: 'Passed', failed: 'Failed', 'not checked': 'Not checked' } as const;

interface Page {
  readonly form: HTMLFormElement;
  readonly vkey: HTMLInputElement;
  readonly file: HTMLInputElement;
  readonly drop: HTMLElement;
  readonly progress: HTMLElement;
  readonly stage: HTMLElement;
  readonly bar: HTMLProgressElement;
  readonly result: HTMLElement;
}

/** Only the newest verification may show its result. */
let newest = 0;

const page = findPage();
page.form.addEventListener('submit', (event) => event.preventDefault());
page.file.addEventListener('change', () => void start(page));
page.vkey.addEventListener('change', () => void start(page));
// Without this, a file that misses the field would replace the page.
for (const type of ['dragover', 'drop']) document.addEventListener(type, (event) => event.preventDefault());
page.drop.addEventListener('dragenter', () => page.drop.classList.add('over'));
page.drop.addEventListener('dragleave', () => page.drop.classList.remove('over'));
document.addEventListener('drop', (event) => {
  page.drop.classList.remove('over');
  if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return;
  page.file.files = event.dataTransfer.files;
  void start(page);
});

async function start({ file, vkey, progress, stage, bar, result }: Page): Promise<void> {
  const chosen = file.files?.[0];
  if (chosen === undefined) return;
  const run = ++newest;
  result.hidden = true;
  progress.hidden = false;
  stage.textContent = 'Checking: reading files';
  bar.removeAttribute('value');
  const given = vkey.value.trim();
  let shown: readonly Node[];
  try {
    if (!(await supportsEd25519())) throw new Error(UNSUPPORTED);
    const report = await verifyPackage(blobSource(chosen), {
      host: webHost(),
      vkey: given === '' ? undefined : given,
      onProgress: (what, done, total) => {
        if (run !== newest) return;
        stage.textContent = `Checking: ${what}`;
        bar.value = total === 0 ? 0 : done / total;
      },
    });
    shown = reportNodes(report, chosen.name);
  } catch (error) {
    shown = [banner('failed', 'Not checked', reasonOf(error))];
  }
  if (run !== newest) return;
  progress.hidden = true;
  result.replaceChildren(...shown);
  result.hidden = false;
  result.focus();
}

function reportNodes(report: Report, fileName: string): readonly Node[] {
  const [title, text] = VERDICTS[report.verdict];
  if (report.verdict === 'unreadable') return [banner('unreadable', title, text)];
  const failed = report.checks.filter(({ status }) => status === 'failed').length;
  const says =
    report.verdict === 'failed' ? `${failed} of ${report.checks.length} checks failed. ${text}` : text;
  const list = element('ul', 'checks');
  list.append(...report.checks.map(checkNode));
  const heading = element('h2');
  heading.textContent = 'Checks';
  return [banner(report.verdict, title, says), factsNode(report, fileName), heading, list];
}

function factsNode(report: Report, fileName: string): Node {
  const { packageId, origin, from, to, leaves, startSize, endSize, key, rows } = report;
  const facts: [string, string | undefined, boolean][] = [
    ['File', fileName, false],
    ['Package', packageId, true],
    ['Log', origin, true],
    ['Period', from === undefined ? undefined : `${from} to ${to ?? ''}`, false],
    [
      'Leaves',
      leaves === undefined ? undefined : `${leaves}, from ${startSize ?? 0} to ${endSize ?? 0} (exclusive)`,
      false,
    ],
    ...Object.entries(rows).map(([name, count]): [string, string, boolean] => [
      `Rows of ${name}`,
      String(count),
      false,
    ]),
    ['Key', key?.vkey, true],
    ['Fingerprint', key?.fingerprint, true],
    ['Key came from', key === undefined ? undefined : key.confirmed ? 'you' : 'the package itself', false],
  ];
  const list = element('dl');
  for (const [name, value, mono] of facts) {
    if (value === undefined) continue;
    const term = element('dt');
    term.textContent = name;
    const description = element('dd', mono ? 'mono' : '');
    description.textContent = value;
    list.append(term, description);
  }
  return list;
}

function checkNode({ says, status, problems, problemsCount, notes }: Check): Node {
  const item = element('li', status.replace(' ', '-'));
  const mark = element('span', 'mark');
  mark.textContent = MARKS[status];
  const sentence = element('span');
  sentence.textContent = says;
  item.append(mark, sentence);
  const more = problemsCount - problems.length;
  const all = more > 0 ? [...problems, `and ${more} more`] : problems;
  if (all.length > 0) item.append(textList('problems', all));
  if (notes.length > 0) item.append(textList('notes', notes));
  return item;
}

function textList(className: string, texts: readonly string[]): Node {
  const list = element('ul', className);
  for (const text of texts) {
    const item = element('li');
    item.textContent = text;
    list.append(item);
  }
  return list;
}

function banner(kind: Report['verdict'], title: string, text: string): Node {
  const node = element('p', `banner ${kind}`);
  const strong = element('strong');
  strong.textContent = title;
  node.append(strong, text);
  return node;
}

function element(tag: string, className = ''): HTMLElement {
  const node = document.createElement(tag);
  if (className !== '') node.className = className;
  return node;
}

function findPage(): Page {
  return {
    form: find('form', HTMLFormElement),
    vkey: find('vkey', HTMLInputElement),
    file: find('file', HTMLInputElement),
    drop: find('drop', HTMLElement),
    progress: find('progress', HTMLElement),
    stage: find('stage', HTMLElement),
    bar: find('bar', HTMLProgressElement),
    result: find('result', HTMLElement),
  };
}

function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const node = document.getElementById(id);
  if (node instanceof kind) return node;
  throw new Error(`The page has no ${id}.`);
}
