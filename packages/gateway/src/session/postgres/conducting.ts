/** The conductor of one session with everything that it needs of the session. */

import type { HoldsPort, Requester } from '../../approvals/holds-port.ts';
import { CountersignError } from '../../core/errors.ts';
import type { SessionId } from '../../core/ids.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import { Asking } from './asking.ts';
import { Batch, type Understood } from './batch.ts';
import type { ClientSide } from './client-side.ts';
import type { ConductorPort } from './client-side-ports.ts';
import { Conductor, type Piece } from './conductor.ts';
import { Exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import type { Intents } from './intents.ts';
import type { Request } from './request.ts';
import type { TargetSide } from './target-side.ts';

export interface ConductingOptions {
  readonly holds: HoldsPort;
  readonly session: {
    readonly id: SessionId;
    readonly principal: Requester;
    readonly connection: string;
    readonly database: string;
    readonly address: string;
  };
  /** 16 random bytes. */
  readonly random: Uint8Array;
  readonly responses: ResponseQueue<Request>;
  readonly gate: Gate;
  readonly unlike: Set<Request>;
  readonly intents: Intents;
  readonly clientSide: () => ClientSide;
  readonly targetSide: () => TargetSide;
  /** For the client: as the target's answer, or as a word of the gateway's own. */
  readonly deliver: (bytes: Uint8Array, as: 'answer' | 'word') => void;
}

/** Owned by one session. */
export class Conducting implements ConductorPort {
  readonly #options: ConductingOptions;
  readonly #asking: Asking;
  readonly #conductor: Conductor;

  constructor(options: ConductingOptions) {
    this.#options = options;
    const { holds, session, random } = options;
    const { id, principal, connection, database, address } = session;
    const { responses, gate, unlike, intents, clientSide, targetSide, deliver } = options;
    this.#asking = new Asking({
      holds,
      requester: principal,
      session: id,
      connection,
      database,
      address,
      say: (frame) => deliver(frame, 'word'),
      waiting: (waits) => clientSide().waiting(waits),
    });
    this.#conductor = new Conductor({
      exchange: new Exchange({ responses, gate, unlike }),
      asking: this.#asking,
      transactionStatus: () => targetSide().transactionStatus,
      writeIntent: async (understood) => {
        const batch = new Batch();
        batch.admit(understood);
        await intents.write(batch);
      },
      forwarded: (operation) => intents.forwardedOne(operation),
      settle: ({ request }, outcome) => intents.settle(request, outcome),
      pass: (piece) => clientSide().pass(piece),
      deliver: (frames) => frames.forEach((frame) => deliver(frame, 'answer')),
      copying: (frame) => {
        deliver(frame, 'answer');
        clientSide().copying();
      },
      name: `countersign ${Buffer.from(random).toString('hex')}`,
    });
  }

  pieceOf(understood: Understood, alone: boolean): Omit<Piece, 'bytes'> | undefined {
    const { intent } = understood;
    const { inBlock } = this.#conductor;
    this.#conductor.noteBlock(understood);
    if (intent?.judgement === undefined || !this.#conductor.isNeeded(understood, intent.judgement)) {
      return undefined;
    }
    const { operation, judgement, textBytes, portal } = intent;
    return {
      understood,
      judgement,
      operation,
      // A view of what is read into again.
      textBytes: textBytes?.slice() ?? new Uint8Array(0),
      portal: portal === undefined ? undefined : { ...portal, alone },
      inBlock,
    };
  }

  get mustSettle(): boolean {
    return this.#conductor.mustSettle;
  }

  settle(kind: 'Sync' | 'other'): Promise<void> {
    return this.#conductor.settle(kind);
  }

  conduct(piece: Piece): Promise<void> {
    if (this.#options.responses.skipping)
      throw new CountersignError('INTERNAL', {}, { cause: 'it would be skipped' });
    return this.#conductor.conduct(piece);
  }

  transactionEnded(): void {
    this.#conductor.transactionEnded();
  }

  /** The client asked to cancel. */
  cancel(): void {
    this.#asking.cancel();
  }

  /** The client is gone, or the session ends. */
  leave(): void {
    this.#asking.leave();
  }
}
