/** What the client's side of a session needs of the others. */

import type { Understood } from './batch.ts';
import type { Cargo } from './gate.ts';
import type { PipelineEnd, WatchedBind } from './pipeline-end.ts';

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
   * What to do instead, while nothing else of the client is on its way, where it may not simply pass.
   *
   * @param isFirst whether it is the first Execute of its pipeline
   */
  alone(understood: Understood, isFirst: boolean): ((message: Uint8Array) => Promise<void>) | undefined;
  /** A Bind that has to wait until counting has begun; undefined for any other message. */
  watched(understood: Understood): WatchedBind | undefined;
  /** Counting begins, and it goes to the target, or the client has its refusal. */
  bind(bind: WatchedBind, cargo: Cargo): Promise<void>;
  /** Whether a text waits for what the server says of it. */
  readonly mustAsk: boolean;
  ask(): Promise<void>;
  /** Whether what ends a pipeline has to wait until that is counted which it keeps. */
  mustSettle(kind: PipelineEnd): boolean;
  settle(kind: PipelineEnd): Promise<void>;
}
