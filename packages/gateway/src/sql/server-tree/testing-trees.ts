/** Writes trees as PostgreSQL does, for tests: `outNode` of outfuncs.c, and `format_node_dump` of print.c. */

import { TreeDatum, TreeList, type TreeValue } from './nodes.ts';

/** The text of a tree on one line; what was read writes back to itself. */
export function writeTree(value: TreeValue): string {
  if (value === null) return '<>';
  if (typeof value === 'string') return value;
  if (value instanceof TreeDatum) return `${value.lengthBytes} [${value.written.replaceAll('\n', ' ')}]`;
  if (value instanceof TreeList) {
    const marker = value.of === 'nodes' ? [] : [value.of];
    return `(${[...marker, ...value.items.map(writeTree)].join(' ')})`;
  }
  const fields = value.names.map((name, index) => {
    const written = writeTree(value.values[index] ?? null);
    return name === '' ? ` ${written}` : ` :${name} ${written}`;
  });
  return `{${value.tag}${fields.join('')}}`;
}

/** What `outToken` makes of a name. Both are one character for each byte. */
export function writeToken(text: string): string {
  if (text === '') return '<>';
  const start = /^(?:[<"0-9]|[+-][0-9.])/.test(text) ? '\\' : '';
  return start + text.replace(/[ \n\t(){}\\]/g, (character) => `\\${character}`);
}

const LINE_BYTES = 78;

/** What the server makes of a tree's text before it sends it. */
export function formatNodeDump(dump: string): string {
  const lines: string[] = [];
  for (let at = 0; ; ) {
    const line = dump.slice(at, at + LINE_BYTES);
    at += line.length;
    if (at >= dump.length) {
      if (line !== '') lines.push(line);
      return lines.map((each) => `${each}\n`).join('');
    }
    if (dump[at] === ' ') {
      at += 1;
      lines.push(line);
      continue;
    }
    const space = line.lastIndexOf(' ');
    if (space > 0) {
      lines.push(line.slice(0, space));
      at -= line.length - space - 1;
    } else {
      lines.push(line);
    }
  }
}
