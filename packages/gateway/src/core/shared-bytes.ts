/** Memory that many keepers share: all of them have a bound together, and each a share that is its own. */

/** What one keeper holds of it. */
export interface BytesKeeper {
  /** False where it would be more than there is. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** The owner of the count. */
export class SharedBytes {
  readonly #bytesMax: number;
  readonly #ownBytes: number;
  #taken = 0;

  /** @param ownBytes what each keeper may have whatever the others do */
  constructor(bytesMax: number, ownBytes: number) {
    this.#bytesMax = bytesMax;
    this.#ownBytes = ownBytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Bytes of all keepers. */
  get taken(): number {
    return this.#taken;
  }

  /** One more that keeps something; it has to give back what it took. */
  keeper(): BytesKeeper {
    let own = 0;
    return {
      take: (bytes) => {
        if (own + bytes > this.#ownBytes && this.#taken + bytes > this.#bytesMax) return false;
        own += bytes;
        this.#taken += bytes;
        return true;
      },
      give: (bytes) => {
        own -= bytes;
        this.#taken -= bytes;
      },
    };
  }
}
