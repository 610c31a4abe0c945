/** Which files speak to which controls: ISO/IEC 27001:2022, and the numbers of 2013 that people still quote. */

export interface IndexedKind {
  readonly kind: string;
  readonly controls2022: string;
  readonly controls2013: string;
}

const POPULATION_CONTROLS: Readonly<Record<string, readonly [string, string]>> = {
  sessions: ['5.15 8.3 8.15', 'A.9.4.1 A.12.4.1'],
  statements: ['8.3 8.15', 'A.9.4.1 A.12.4.1'],
  authentication: ['8.5 8.15', 'A.9.4.2 A.12.4.1'],
  'administrative-changes': ['5.18 8.2 8.9 8.15', 'A.9.2.2 A.9.2.3 A.12.4.3'],
  approvals: ['5.3 8.15 8.32', 'A.6.1.2 A.12.4.1 A.14.2.2'],
  denied: ['8.2 8.3 8.15 8.18', 'A.9.2.3 A.9.4.1 A.12.4.1 A.9.4.4'],
  changes: ['8.15 8.32', 'A.12.4.1 A.14.2.2'],
  breakglass: ['5.15 8.2 8.15', 'A.9.2.3 A.12.4.1'],
  'breakglass-unreviewed': ['5.15 8.2 8.15', 'A.9.2.3 A.12.4.1'],
  // 8.11 data masking and 8.12 leakage are new in 2022; 5.34 is the protection of personal data.
  'masking-summary': ['5.34 8.11', 'A.18.1.4'],
  'pii-flows': ['5.34 8.11 8.12', 'A.18.1.4'],
  'masking-blocked': ['8.3 8.11 8.12', 'A.9.4.1'],
  reveals: ['5.3 5.34 8.11 8.15', 'A.6.1.2 A.18.1.4 A.12.4.1'],
  'http-requests': ['8.3 8.15', 'A.9.4.1 A.12.4.1'],
  // 5.23 is the use of cloud services, which is new in 2022: what was sent to a model of somebody else.
  'rerank-requests': ['5.23 8.3 8.15', 'A.9.4.1 A.12.4.1'],
  // 5.22 is the monitoring of suppliers' services and of changes to them, 8.16 that of systems; both new or apart in 2022.
  'model-probes': ['5.22 8.9 8.16 8.32', 'A.15.2.1 A.15.2.2 A.14.2.2'],
  'changes-unapproved': ['5.3 8.15 8.32', 'A.6.1.2 A.12.4.1 A.14.2.2'],
};

/** What is known of masks beside what leaves add up to. */
const MASKING_CONTROLS: Readonly<Record<string, readonly [string, string]>> = {
  'masking-rules': ['5.34 8.11', 'A.18.1.4'],
  'masking-second-scan': ['5.34 8.11 8.12', 'A.18.1.4'],
  'masking-effectiveness': ['8.11', ''],
};

const LOG_CONTROLS = ['5.28 5.33 8.15', 'A.16.1.7 A.18.1.3 A.12.4.2'] as const;

/** The row's first columns for a file below data/. */
export function indexedKind(path: string): IndexedKind {
  if (path.startsWith('data/ledger/')) return kind('ledger', LOG_CONTROLS);
  const [, population] = /^data\/populations\/([a-z-]+?)(?:-[0-9]{4})?\.(?:csv|jsonl)$/.exec(path) ?? [];
  const controls = population === undefined ? undefined : POPULATION_CONTROLS[population];
  if (controls !== undefined) return kind('population', controls);
  const [, masking = ''] = /^data\/masking\/([a-z-]+?)(?:-[0-9]{4})?\.(?:csv|json)$/.exec(path) ?? [];
  const about = MASKING_CONTROLS[masking];
  if (about !== undefined) return kind('machine', about);
  return kind(path.endsWith('.json') ? 'machine' : 'document', ['', '']);
}

function kind(name: string, [controls2022, controls2013]: readonly [string, string]): IndexedKind {
  return { kind: name, controls2022, controls2013 };
}
