/** What the client's side of a session needs of the others. */

import type { Understood } from './batch.ts';
import type { Piece } from './conductor.ts';

export interface ClientSideEvents {
  /** The client said goodbye; nothing more comes. */
  terminated(): void;
  /** What it sent is no message: the target has its header, and will say so; nothing more comes. */
  broken(error: unknown): void;
  /** It waited for the disk, and may be read again. */
  drained(): void;
  /** The session must end. */
  failed(error: unknown): void;
  /** Whether what the target has said so far ends between two frames. */
  targetIsBetweenFrames(): boolean;
}

/** What the client side needs of whoever conducts. */
export interface ConductorPort {
  /**
   * What to conduct, where a statement may not simply pass.
   *
   * @param alone whether it is the first Execute of its pipeline
   */
  pieceOf(understood: Understood, alone: boolean): Omit<Piece, 'bytes'> | undefined;
  conduct(piece: Piece): Promise<void>;
  /** Whether what ends a pipeline has to wait until that is counted which it keeps. */
  readonly mustSettle: boolean;
  settle(kind: 'Sync' | 'other'): Promise<void>;
}
