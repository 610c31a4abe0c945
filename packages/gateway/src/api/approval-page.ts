/**
 * What a browser shows of the address of a hold: what this is, and how somebody who may decides on it.
 *
 * A browser shows no token, so that it hears nothing of what is held, and not even whether it is there: the page is
 * the same for every id. No script, nothing from elsewhere, and no frame around it.
 * Untrusted: the id and the address, which are written as text.
 */

import { hash } from 'node:crypto';

/** What a browser is sent in the place of JSON. */
export interface Page {
  readonly html: string;
  readonly fields: Readonly<Record<string, string>>;
}

const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f7f7f4, #15171a);
  --surface: light-dark(#ffffff, #1d2024);
  --ink: light-dark(#1b1d1f, #e8e8e4);
  --quiet: light-dark(#55595e, #a3a8ae);
  --line: light-dark(#d5d6d1, #383c42);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto;
  max-width: 46rem;
  padding: 2.5rem 1.25rem 4rem;
  background: var(--ground);
  color: var(--ink);
  font: 1rem / 1.55 system-ui, sans-serif;
}
h1 { margin: 0 0 0.25rem; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 2rem 0 0.5rem; font-size: 1.1rem; }
p { margin: 0 0 0.75rem; }
.id { overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
pre {
  margin: 0 0 0.5rem;
  padding: 0.6rem 0.8rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  background: var(--surface);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  user-select: all;
}
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 0.9rem; }
`;

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The page of one hold.
 *
 * @param server where the command line reaches the gateway
 */
export function approvalPage(id: string, server: string): Page {
  const shown = escaped(id);
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Approval ${shown} · Countersign</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>An approval is asked for</h1>
<p class="id"><code>${shown}</code></p>
<p>This is the number of a request that waits at the Countersign gateway until other people agree to it.
What it would do, who sent it and why it is held is shown to those who may see it, when they have logged in.</p>
<h2>If you decide on it</h2>
<p>Log in on the command line, look at exactly what is asked for, and then agree or not:</p>
${commands([
  `countersign login --server ${server} --name YOUR-NAME`,
  `countersign approvals show ${id}`,
  `countersign approvals approve ${id} --reason "why"`,
  `countersign approvals deny ${id} --reason "why not"`,
])}
<h2>If you asked for it</h2>
<p>What still waits goes on by itself when it is approved. What was told to come back is sent again, exactly the
same: an approval is good for one, and for nothing that differs. How it stands, and how to give it up:</p>
${commands([`countersign approvals show ${id}`, `countersign approvals withdraw ${id}`])}
</main>
<footer class="quiet">A click on a command selects all of it. This page is the same for every number and
says nothing of whether there is such a request.</footer>
</body>
</html>
`;
  return {
    html,
    fields: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      vary: 'accept, authorization',
    },
  };
}

/** Whether whoever asks would show a page, and no program that reads JSON: a browser names text/html itself. */
export function wantsPage(accept: string | undefined): boolean {
  const types = new Map(
    (accept ?? '').split(',').map((part) => {
      const [type = '', ...parameters] = part.split(';').map((one) => one.trim().toLowerCase());
      const isRefused = parameters.some((one) => /^q=0(\.0*)?$/.test(one));
      return [type, !isRefused] as const;
    }),
  );
  return types.get('text/html') === true && types.get('application/json') !== true;
}

function commands(lines: readonly string[]): string {
  return lines.map((line) => `<pre>${escaped(line)}</pre>`).join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
