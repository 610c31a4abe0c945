/** docs/reference/config.md, generated from the schema. */

import type { TSchema } from 'typebox';
import { CONFIG_SCHEMA } from './schema.ts';

const HEAD = `# Configuration

The file of \`countersign up --config FILE --data DIR\`: YAML, one document. Every option may be left
out, and so may the file. An option that is not in this table is refused. \`<data>\` is the directory
of \`--data\`; relative paths start at the directory of the file.

\`\`\`yaml
node: gw1
listen:
  postgres: { host: 0.0.0.0, port: 15432 }
tls: { mode: required, cert: gateway.pem, key: gateway.key }
installationKey: { command: [vault, kv, get, -field=key, secret/countersign] }
checkpoints: { secondPlace: /mnt/other-disk/countersign }
\`\`\`

| option | default | allowed | why |
|---|---|---|---|
`;

/** The whole document. */
export function renderConfigReference(): string {
  return `${HEAD}${rows(CONFIG_SCHEMA, '').join('\n')}\n`;
}

function rows(schema: TSchema, path: string): readonly string[] {
  const properties = entriesOf(schema, 'properties');
  if (properties.length > 0) {
    return properties.flatMap(([key, child]) => rows(child, path === '' ? key : `${path}.${key}`));
  }
  const cells = [`\`${path}\``, defaultOf(schema), allowedOf(schema), textOf(schema, 'description')];
  return [`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`];
}

function defaultOf(schema: TSchema): string {
  const text = textOf(schema, 'defaultText');
  if (text !== '') return text;
  const value = childOf(schema, 'default');
  return value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function allowedOf(schema: TSchema): string {
  const alternatives = textOf(schema, 'alternatives');
  if (alternatives !== '') return `\`${alternatives}\``;
  const values = childOf(schema, 'enum');
  if (Array.isArray(values)) return values.map((value) => `\`${String(value)}\``).join(', ');
  const pattern = textOf(schema, 'pattern');
  if (pattern !== '') return `\`${pattern}\``;
  const [minimum, maximum] = [childOf(schema, 'minimum'), childOf(schema, 'maximum')];
  if (typeof minimum === 'number' && typeof maximum === 'number') return `${minimum} to ${maximum}`;
  return `text, at most ${String(childOf(schema, 'maxLength'))} characters`;
}

function textOf(schema: TSchema, key: string): string {
  const value = childOf(schema, key);
  return typeof value === 'string' ? value : '';
}

function entriesOf(schema: TSchema, key: string): readonly [string, TSchema][] {
  const value = childOf(schema, key);
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function childOf(node: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(node, key)?.value;
}
