/**
 * Builds verify.html out of src/html: one file, no network, a policy that lets nothing else run.
 *
 * The result is committed, and a test compares. `node --conditions=source packages/verify/build-html.ts`
 * writes it.
 */

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const SOURCES = join(import.meta.dirname, 'src/html');
const RESULT = join(import.meta.dirname, 'verify.html');

/** The text of verify.html. */
export async function buildHtml(): Promise<string> {
  const script = `\n${await bundle()}`;
  const style = `\n${await readFile(join(SOURCES, 'page.css'), 'utf8')}`;
  if (/<\/(script|style)|<!--/i.test(script + style)) throw new Error('The page would end too early.');
  const csp = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const parts: Readonly<Record<string, string>> = { csp, style, script };
  const template = await readFile(join(SOURCES, 'template.html'), 'utf8');
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`The template has an unknown part: ${name}`);
    return part;
  });
}

async function bundle(): Promise<string> {
  const build = await rolldown({
    input: join(SOURCES, 'page.ts'),
    cwd: import.meta.dirname,
    platform: 'browser',
    resolve: { conditionNames: ['source'] },
    tsconfig: false,
  });
  try {
    const { output } = await build.generate({ format: 'iife', minify: false, comments: false });
    const [chunk] = output;
    return chunk.code;
  } finally {
    await build.close();
  }
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

if (import.meta.main) await writeFile(RESULT, await buildHtml());
