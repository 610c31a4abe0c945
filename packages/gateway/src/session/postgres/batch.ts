/** What one turn of reading the client gave: bytes that pass together, and what they need. */

import type { BoundPortal, PreparedStatement } from '../../protocols/postgres/operation.ts';
import type { RequestKind } from '../../protocols/postgres/states.ts';
import { bodyBytes } from '../../core/body-bytes.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { Judgement } from './inspection.ts';
import { judgedBody } from './judged-body.ts';
import { PLAIN_REQUEST, type Request } from './request.ts';
import type { RunningOperation } from './running-operation.ts';
import type { Decided } from './session-leaves.ts';
import type { Spooled } from './spooled-marker.ts';

type Body = Record<string, BodyValue>;

export interface RunPortal {
  readonly portalName: string;
  readonly portal: BoundPortal | undefined;
  /** The Bind that lies in the spool with its values, where it does: it cannot be bound again. */
  readonly spooled: Spooled | undefined;
  /** Whether its text is in memory: it can be parsed again. */
  readonly isRead: boolean;
}

/** Something that runs, with the body of its intent, which is made when it is admitted. */
export interface Intent {
  readonly operation: RunningOperation;
  readonly body: () => Body;
  readonly judgement: Judgement | undefined;
  /** What runs; a view of the message where it stands there. */
  readonly textBytes: Uint8Array | undefined;
  /** Of an Execute. */
  readonly portal: RunPortal | undefined;
}

/** What a Bind makes ready to run, where policy reads the session's texts. */
export interface Bound {
  readonly judgement: Judgement;
  /** Undefined where nobody remembers its name. */
  readonly portal: BoundPortal | undefined;
  /** For the leaf, where it cannot be bound. */
  readonly intent: Intent;
}

/** A frontend message that was understood. */
export interface Understood {
  readonly kind: RequestKind;
  readonly request: Request;
  /** Its text has a COPY … FROM STDIN, so that what follows may be data. */
  readonly copyIn: boolean;
  readonly intent: Intent | undefined;
  /** Of a Bind. */
  readonly bound?: Bound | undefined;
  /** A Parse names its text to the target; `statement` tells texts apart by identity. */
  readonly prepare: { readonly statement: object; readonly body: () => Body } | undefined;
  /** The text that an Execute runs, so that the Parse of the same batch needs no leaf of its own. */
  readonly runs: object | undefined;
}

/** What a batch needs written, with the body of its intent. */
export interface Admitted extends Pick<Understood, 'prepare' | 'runs'> {
  readonly operation: RunningOperation | undefined;
  readonly body: Body;
  readonly decided: Decided | undefined;
  readonly judgement: Judgement | undefined;
}

const NOTHING: Body = {};

/** The server answers nothing to it: it says only where the pipeline may be read. */
export const PLAIN: Readonly<Record<'Flush' | 'Sync', Understood>> = {
  Flush: plain('Flush'),
  Sync: plain('Sync'),
};

/** Owned by the client side until it passes the gate. */
export class Batch {
  readonly #pieces: Uint8Array[] = [];
  #run: Uint8Array | undefined;
  #from = 0;
  #to = 0;
  readonly admitted: Admitted[] = [];
  readonly spent: Uint8Array[] = [];
  #bodyBytes = 0;

  /** Whether nothing would pass. */
  get empty(): boolean {
    return this.#run === undefined && this.#pieces.length === 0 && this.admitted.length === 0;
  }

  /** Adds `bytes[from, to)`; neighbouring ranges of one chunk become one write. */
  add(bytes: Uint8Array, from: number, to: number): void {
    if (this.#run === bytes && this.#to === from) {
      this.#to = to;
      return;
    }
    this.#endRun();
    this.#run = bytes;
    this.#from = from;
    this.#to = to;
  }

  /** A chunk that nobody needs when these bytes are written: its own are among them, or went before. */
  spend(chunk: Uint8Array): void {
    this.spent.push(chunk);
  }

  /** About how many bytes the bodies of its intents have. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Remembers a message that is forwarded with this batch. */
  admit({ intent, prepare, runs }: Understood): void {
    if (intent === undefined && prepare === undefined) return;
    const body = intent?.body() ?? NOTHING;
    const judgement = intent?.judgement;
    if (judgement !== undefined) Object.assign(body, judgedBody(judgement));
    this.#bodyBytes += bodyBytes(body);
    const decided =
      judgement === undefined
        ? undefined
        : { decision: (judgement.stated ?? judgement.decision).kind, policy: judgement.policy };
    this.admitted.push({ operation: intent?.operation, body, decided, judgement, prepare, runs });
  }

  /** The bytes in order. */
  bytes(): readonly Uint8Array[] {
    this.#endRun();
    return this.#pieces;
  }

  #endRun(): void {
    if (this.#run !== undefined) this.#pieces.push(this.#run.subarray(this.#from, this.#to));
    this.#run = undefined;
  }
}

/** Describe of a statement; `wait` where the server has to be asked about it first. */
export function describing(
  statement: PreparedStatement | undefined | 'wait',
  inspection: { isStale(statement: PreparedStatement | undefined | 'wait'): boolean },
): Understood | 'wait' {
  if (inspection.isStale(statement)) return 'wait';
  const understood = plain('DescribeStatement');
  if (statement === undefined || statement === 'wait') return understood;
  return { ...understood, request: { ...PLAIN_REQUEST, makes: { kind: 'described', statement } } };
}

/** A message that runs nothing and changes nothing that is remembered. */
export function plain(kind: RequestKind): Understood {
  return {
    kind,
    request: PLAIN_REQUEST,
    copyIn: false,
    intent: undefined,
    prepare: undefined,
    runs: undefined,
  };
}
