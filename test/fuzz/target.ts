/** One thing that parses, and what must hold for whatever it is given. */

import type { Random } from './random.ts';

export interface Target {
  readonly name: string;
  /** Its share of all inputs. */
  readonly weight: number;
  /** Whether an error is one that may come: of our own class, and not our own fault. */
  readonly refusal: (thrown: unknown) => boolean;
  /** Makes one input, gives it to what parses, and throws where a property does not hold. */
  run(random: Random): void | Promise<void>;
}
