/** A statement that is conducted. */

import type { AskedPiece } from './asking.ts';
import type { Understood } from './batch.ts';
import type { Judgement } from './inspection.ts';
import type { PortalGround } from './pipeline-ground.ts';
import type { RunningOperation } from './running-operation.ts';

/** What is run, and where. */
export interface Piece {
  readonly understood: Understood;
  readonly judgement: Judgement;
  readonly operation: RunningOperation;
  /** The message as it came. */
  readonly bytes: Uint8Array;
  readonly textBytes: Uint8Array;
  /** Of an Execute. */
  readonly portal: PortalGround | undefined;
  /** Whether it runs inside of a transaction block. */
  readonly inBlock: boolean;
  /** Whether something runs behind what the target last said of its transaction. */
  readonly isUncertain: boolean;
}

/** What people are asked about it. */
export function askedOf(piece: Piece): AskedPiece {
  const { understood, portal } = piece;
  return {
    ...piece,
    message: understood.kind,
    portal: portal?.portal,
    spooled: portal?.spooled,
    copyIn: understood.copyIn,
  };
}
