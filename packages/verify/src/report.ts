/** What a verification found: one line for each check of spec/evidence.md, section 5. */

/** The checks, in the order of the report. */
export const CHECKS = {
  zip: 'The zip is exactly what it should be',
  bag: 'Every file is the one that was packed',
  version: 'The package is of a version that this verifier knows',
  keys: 'The log’s keys follow from one another',
  signature: 'The package is signed',
  checkpoints: 'The checkpoints are signed',
  tree: 'The log is one append-only tree',
  leaves: 'The leaves of the range are complete and in order',
  sessions: 'Every session is whole, and every intent has its outcome',
  bodies: 'Every body is the one that its leaf committed to',
  period: 'The range holds the period',
  populations: 'The populations follow from the leaves, byte for byte',
  index: 'Index and generation record say what is there',
} as const;

export type CheckName = keyof typeof CHECKS;

export const CHECK_NAMES: readonly CheckName[] = [
  'zip',
  'bag',
  'version',
  'keys',
  'signature',
  'checkpoints',
  'tree',
  'leaves',
  'sessions',
  'bodies',
  'period',
  'populations',
  'index',
];

export interface Check {
  readonly name: CheckName;
  /** What is true where it passed. */
  readonly says: string;
  readonly status: 'passed' | 'failed' | 'not checked';
  /** What is wrong; the first ones where there are many. */
  readonly problems: readonly string[];
  readonly problemsCount: number;
  /** What a reader should know although nothing is wrong. */
  readonly notes: readonly string[];
}

export interface KeyReport {
  readonly vkey: string;
  /** Hex SHA-256 of the text above: what people compare. */
  readonly fingerprint: string;
  /** Whether it came by another way than in the package. */
  readonly confirmed: boolean;
}

export interface Report {
  /**
   * `verified`: all checks passed under a key that came by another way. `consistent`: all passed, under
   * the package's own key. `failed`: not all passed. `unreadable`: the file is no zip, nor was one.
   */
  readonly verdict: 'verified' | 'consistent' | 'failed' | 'unreadable';
  readonly checks: readonly Check[];
  readonly key: KeyReport | undefined;
  readonly packageId: string | undefined;
  readonly origin: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly startSize: number | undefined;
  readonly endSize: number | undefined;
  readonly leaves: number | undefined;
  /** Statements of the range whose outcome is unknown. */
  readonly inDoubt: number | undefined;
  /** Rows by population. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Something is wrong with the package; the text says what was expected and what came. */
export class PackageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PackageError';
  }
}

/** The file is not a package that somebody changed, but something else. */
export class NoPackageError extends PackageError {
  constructor(message: string) {
    super(message);
    this.name = 'NoPackageError';
  }
}

const KEPT_MAX = 20;

/** Collects what one check finds. */
export class Findings {
  readonly name: CheckName;
  readonly #problems: string[] = [];
  #problemsCount = 0;
  readonly #notes: string[] = [];
  #checked = true;

  constructor(name: CheckName) {
    this.name = name;
  }

  get failed(): boolean {
    return this.#problemsCount > 0;
  }

  problem(text: string): void {
    this.#problemsCount += 1;
    if (this.#problems.length < KEPT_MAX) this.#problems.push(printable(text));
  }

  note(text: string): void {
    if (this.#notes.length < KEPT_MAX) this.#notes.push(printable(text));
  }

  /** It could not be checked, because of what failed before. */
  skip(because: string): void {
    this.#checked = false;
    this.note(because);
  }

  /** Runs a part of the check; whatever it throws is a problem, never a crash. */
  async run(part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      this.problem(reasonOf(error));
    }
  }

  /** The same, of something that this check needs to go on. */
  async get<T>(part: () => Promise<T>): Promise<T | undefined> {
    try {
      return await part();
    } catch (error) {
      this.problem(reasonOf(error));
      return undefined;
    }
  }

  finish(): Check {
    const status = this.failed ? 'failed' : this.#checked ? 'passed' : 'not checked';
    return {
      name: this.name,
      says: CHECKS[this.name],
      status,
      problems: this.#problems,
      problemsCount: this.#problemsCount,
      notes: this.#notes,
    };
  }
}

export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

const LINE_CHARACTERS_MAX = 300;

// Names and texts of a package are untrusted: they must not steer a terminal.
function printable(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '�');
  return clean.length > LINE_CHARACTERS_MAX ? `${clean.slice(0, LINE_CHARACTERS_MAX)}…` : clean;
}
