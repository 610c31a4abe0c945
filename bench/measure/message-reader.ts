/**
 * Where messages of HTTP/1.1 end in a stream of bytes: as much as a measurement needs of it, for the load and for
 * the target, so that neither is what is slow.
 *
 * Spec: RFC 9112 §6 and §7.1. Both ends are ours: what is malformed is not looked for.
 */

export interface Message {
  /** Its first line and fields. */
  readonly head: string;
  /** Of its content, without what frames it. */
  readonly bytes: number;
}

/** Owned by one socket. */
export class MessageReader {
  #state: 'head' | 'content' | 'size' | 'chunk' | 'trailers' = 'head';
  /** The beginning of a head. */
  #begun: Buffer | undefined;
  #head = '';
  #bytes = 0;
  /** Bytes of the content, or of the chunk, that are still to come. */
  #left = 0;
  /** The beginning of a line between chunks. */
  #line = '';

  /** @param take called for each message that is complete */
  push(chunk: Buffer, take: (message: Message) => void): void {
    const bytes = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    this.#begun = undefined;
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at, take);
  }

  #step(bytes: Buffer, at: number, take: (message: Message) => void): number {
    if (this.#state === 'head') return this.#readHead(bytes, at, take);
    if (this.#state === 'content' || this.#state === 'chunk') return this.#pass(bytes, at, take);
    const end = bytes.indexOf(0x0a, at);
    this.#line += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
    if (end < 0) return bytes.length;
    const line = this.#line.trim();
    this.#line = '';
    if (this.#state === 'trailers') {
      if (line === '') this.#end(take);
    } else if (line !== '') {
      // What is empty is the end of the chunk before.
      this.#left = Number.parseInt(line, 16);
      this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    }
    return end + 1;
  }

  #readHead(bytes: Buffer, at: number, take: (message: Message) => void): number {
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
    if (end < 0) {
      this.#begun = Buffer.from(bytes.subarray(at));
      return bytes.length;
    }
    this.#head = bytes.toString('latin1', at, end);
    this.#bytes = 0;
    if (/\r\ntransfer-encoding: *chunked/i.test(this.#head)) this.#state = 'size';
    else {
      this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1] ?? '0');
      this.#state = 'content';
      if (this.#left === 0) this.#end(take);
    }
    return end + 4;
  }

  #pass(bytes: Buffer, at: number, take: (message: Message) => void): number {
    const passed = Math.min(this.#left, bytes.length - at);
    this.#left -= passed;
    this.#bytes += passed;
    if (this.#left === 0) {
      if (this.#state === 'content') this.#end(take);
      else this.#state = 'size';
    }
    return at + passed;
  }

  #end(take: (message: Message) => void): void {
    this.#state = 'head';
    take({ head: this.#head, bytes: this.#bytes });
  }
}
