/** The conductor of one session with everything that it needs of the session. */

import type { HoldsPort, Requester } from '../../approvals/holds-port.ts';
import type { HoldId, SessionId } from '../../core/ids.ts';
import { encodeFrontend } from '../../protocols/postgres/encode.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import { type AsksForTrees, ServerTrees } from './armed/server-trees.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import { Asking } from './asking.ts';
import { Batch, type Understood } from './batch.ts';
import type { ClientSide } from './client-side.ts';
import type { ConductorPort } from './client-side-ports.ts';
import { Conductor } from './conductor.ts';
import { Exchange } from './exchange.ts';
import type { Cargo, Gate } from './gate.ts';
import type { Intents } from './intents.ts';
import type { SessionMasking } from './masked/session-masking.ts';
import type { Piece } from './piece.ts';
import type { PipelineEnd, WatchedBind } from './pipeline-end.ts';
import type { Request } from './request.ts';
import type { RowMeter } from './returned-rows.ts';
import type { TargetSide } from './target-side.ts';

export interface ConductingOptions {
  readonly holds: HoldsPort;
  readonly holdLink: (id: HoldId) => string;
  readonly session: {
    readonly id: SessionId;
    readonly principal: Requester;
    readonly connection: string;
    readonly database: string;
    readonly address: string;
  };
  /** Whether the server says what a ruled statement means before it runs. */
  readonly asksForTrees: AsksForTrees;
  /** What masks results; undefined where nothing does. */
  readonly masking?: SessionMasking | undefined;
  /** Of a clock that only goes on. */
  readonly nowUs: () => number;
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
  /** The target is asked to cancel what runs. */
  readonly stop: () => void;
  /** Something could not be written when the session had ended. */
  readonly failed: (error: unknown) => void;
}

/** Owned by one session. */
export class Conducting implements ConductorPort {
  readonly #options: ConductingOptions;
  readonly #asking: Asking;
  readonly #conductor: Conductor;
  /** Absent where the server is not asked for its trees. */
  readonly trees: ServerTrees | undefined;

  constructor(options: ConductingOptions) {
    this.#options = options;
    const { holds, holdLink, session, random } = options;
    const { id, principal, connection, database, address } = session;
    const { responses, gate, unlike, intents, clientSide, targetSide, deliver, stop } = options;
    this.#asking = new Asking({
      holds,
      holdLink,
      requester: principal,
      session: id,
      connection,
      database,
      address,
      say: (frame) => deliver(frame, 'word'),
      waiting: (waits) => clientSide().waiting(waits),
    });
    const name = `countersign ${Buffer.from(random).toString('hex')}`;
    const treePorts = {
      responses,
      gate,
      unlike,
      transactionStatus: () => targetSide().transactionStatus,
      deliver: (frame: Uint8Array) => deliver(frame, 'answer'),
      name,
      nowUs: options.nowUs,
    };
    const { asksForTrees, masking } = options;
    // A Mask by origin needs what the server says, whatever else a connection does without.
    const asks = masking !== undefined && asksForTrees === 'off' ? 'auto' : asksForTrees;
    this.trees = asks === 'off' ? undefined : new ServerTrees(asks, treePorts, masking);
    this.#conductor = new Conductor({
      exchange: new Exchange({ responses, gate, unlike }),
      asking: this.#asking,
      transactionStatus: () => targetSide().transactionStatus,
      isSkipping: () => responses.skipping,
      writeIntent: async (understood) => {
        const batch = new Batch();
        batch.admit(understood);
        await intents.write(batch);
      },
      forwarded: (operation) => intents.forwardedOne(operation),
      settle: (request, outcome) => intents.settle(request, outcome),
      pass: (piece, meter) => this.#pass(piece, meter),
      stop,
      deliver: (frames) => frames.forEach((frame) => deliver(frame, 'answer')),
      copying: (frame) => {
        deliver(frame, 'answer');
        clientSide().copying();
      },
      name,
    });
  }

  alone(understood: Understood, isFirst: boolean): ((message: Uint8Array) => Promise<void>) | undefined {
    const { responses } = this.#options;
    const piece = this.#pieceOf(understood, isFirst);
    // What the target would skip, or end the session for, it hears as it came.
    if (responses.skipping || responses.inCopyIn) return undefined;
    const bind = this.#conductor.watched(understood);
    if (bind !== undefined) return (message) => this.bind(bind, { bytes: [message], bodyBytes: 0 });
    if (piece === undefined) return undefined;
    return async (message) => {
      if (responses.skipping) responses.push(understood.kind, understood.request);
      else await this.#conductor.conduct({ ...piece, bytes: message });
    };
  }

  watched(understood: Understood): WatchedBind | undefined {
    return this.#conductor.watched(understood);
  }

  async bind(bind: WatchedBind, cargo: Cargo): Promise<void> {
    const { responses, gate } = this.#options;
    const { kind, request } = bind.understood;
    const hears = responses.skipping ? (): void => undefined : await this.#conductor.bind(bind);
    const settled = (outcome: Outcome): void => {
      request.settled?.(outcome);
      hears?.(outcome);
    };
    if (hears !== undefined && responses.push(kind, { ...request, settled }) === 'forward') gate.pass(cargo);
    else await cargo.spooled?.discard();
  }

  mustSettle(kind: PipelineEnd): boolean {
    const { skipping, inCopyIn } = this.#options.responses;
    if (inCopyIn || !this.#conductor.mustSettle) return false;
    return !skipping || (kind !== 'other' && this.#conductor.ownsBlock);
  }

  /** What has failed or ended meanwhile needs nothing. */
  async settle(kind: PipelineEnd): Promise<void> {
    if (this.mustSettle(kind)) await this.#conductor.settle(kind);
  }

  /** A request is answered whose answer nobody has kept. */
  answered(request: Request, outcome: Outcome): void {
    this.#conductor.answered(request, outcome);
  }

  #pieceOf(understood: Understood, isFirst: boolean): Omit<Piece, 'bytes' | 'inBlock'> | undefined {
    const { intent } = understood;
    const { isUncertain } = this.#conductor;
    this.#conductor.noteBlock(understood);
    if (intent?.judgement === undefined || !this.#conductor.isNeeded(understood, intent.judgement)) {
      return undefined;
    }
    const { operation, judgement, textBytes, portal } = intent;
    // What lies in the spool is gone when it was parsed or bound.
    const alone = isFirst && portal?.isRead === true && portal.spooled === undefined;
    return {
      understood,
      judgement,
      operation,
      // A view of what is read into again.
      textBytes: textBytes?.slice() ?? new Uint8Array(0),
      portal:
        portal === undefined
          ? undefined
          : { ...portal, alone, isJustBound: alone && this.#conductor.isJustBound(portal.portal) },
      isUncertain,
    };
  }

  get mustAsk(): boolean {
    return this.trees?.mustAsk ?? false;
  }

  async ask(): Promise<void> {
    await this.trees?.ask();
  }

  /** A statement that people have agreed to goes as any other. */
  #pass({ understood, bytes }: Piece, meter: RowMeter | undefined): Promise<Outcome> {
    const { responses, gate, intents, clientSide, unlike } = this.#options;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const { kind, copyIn } = understood;
    const settled = (outcome: Outcome): void => {
      // Of what was withheld the conductor says how it ended.
      if (meter?.isOver !== true) understood.request.settled?.(outcome);
      resolve(outcome);
    };
    const request = { ...understood.request, settled, meter };
    if (responses.push(kind, request, copyIn) === 'forward') {
      if (meter !== undefined) unlike.add(request);
      const flushed = kind === 'Execute' ? [bytes, encodeFrontend({ kind: 'Flush' })] : [bytes];
      gate.pass({ bytes: flushed, bodyBytes: 0 }, undefined, () => intents.forwardedOne(request.operation));
    }
    if (copyIn) clientSide().copying();
    return promise;
  }

  transactionEnded(): void {
    this.#conductor.transactionEnded();
  }

  /** The client asked to cancel. */
  cancel(): void {
    this.#asking.cancel();
  }

  /** The client sends nothing more. */
  leave(): void {
    this.#asking.leave();
    this.#options.clientSide().left();
  }

  /** The session is over. */
  end(): void {
    this.#asking.leave();
    this.#conductor.lose().catch((error: unknown) => this.#options.failed(error));
  }
}
