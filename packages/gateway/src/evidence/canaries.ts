/** Values that are planted in a text, to see at each export that the scanner finds them: known examples, of nobody. */

import { entityName } from '../masking/detect/entities.ts';
import { Scanner } from '../masking/detect/scanner.ts';

interface Canary {
  readonly entity: string;
  /** In pieces, so that nobody's scanner of sources takes them for real. */
  readonly value: readonly string[];
}

const CANARIES: readonly Canary[] = [
  { entity: 'CREDIT_CARD', value: ['4111 1111', ' 1111 1111'] },
  { entity: 'CREDIT_CARD', value: ['5500-0055', '-5555-5559'] },
  { entity: 'IBAN', value: ['GB82 WEST 1234', ' 5698 7654 32'] },
  { entity: 'EMAIL', value: ['planted.canary', '@example.org'] },
  { entity: 'PHONE', value: ['+44 20', ' 7946 0958'] },
  { entity: 'US_SSN', value: ['123-45', '-6789'] },
  { entity: 'IPV4', value: ['192.0.2', '.146'] },
  { entity: 'IPV6', value: ['2001:db8:85a3', '::8a2e:370:7334'] },
  { entity: 'MAC_ADDRESS', value: ['00:1b:44', ':11:3a:b7'] },
  { entity: 'ES_NIF', value: ['12345', '678Z'] },
  { entity: 'IT_CODICE_FISCALE', value: ['RSSMRA85', 'T10A562S'] },
  { entity: 'SECRET', value: ['AKIA', 'IOSFODNN7EXAMPLQ'] },
  { entity: 'URL_CREDENTIALS', value: ['postgres://app:', 'c4nary-pass@db.example.org/x'] },
];

export interface CanaryResult {
  readonly planted: number;
  readonly found: number;
  /** Entities of those that were not found. */
  readonly missed: readonly string[];
}

/** Plants all of them in one text, and looks. */
export function plantCanaries(scanner: Scanner = new Scanner()): CanaryResult {
  const encoder = new TextEncoder();
  const values = CANARIES.map(({ value }) => value.join(''));
  const text = encoder.encode(values.map((value) => `Planted: ${value} ends here.\n`).join(''));
  const count = scanner.scan(text);
  const found = new Set<string>();
  for (let span = 0; span < count; span += 1) {
    const [from, to] = [scanner.from[span] ?? 0, scanner.to[span] ?? 0];
    found.add(
      `${entityName(scanner.entity[span] ?? 0)} ${new TextDecoder().decode(text.subarray(from, to))}`,
    );
  }
  const missed = CANARIES.filter(
    ({ entity }, i) => ![...found].some((one) => isFound(one, entity, values[i] ?? '')),
  );
  return {
    planted: CANARIES.length,
    found: CANARIES.length - missed.length,
    missed: missed.map(({ entity }) => entity),
  };
}

/** Of credentials in a URL only the password is the value. */
function isFound(one: string, entity: string, value: string): boolean {
  if (entity !== 'URL_CREDENTIALS') return one === `${entity} ${value}`;
  return one.startsWith(`${entity} `) && value.includes(one.slice(entity.length + 1));
}
