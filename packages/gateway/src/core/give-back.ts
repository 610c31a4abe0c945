/**
 * Memory that is given back at once, where waiting for the garbage collector would cost too much of it:
 * V8 counts the memory of buffers late, and tens of megabytes of finished ones lie about before it collects.
 */

/** Frees a buffer that the caller alone has, after which it is empty. A view of something larger is left alone. */
export function giveBack(bytes: Uint8Array): void {
  if (bytes.byteLength === bytes.buffer.byteLength) free(bytes.buffer);
}

/** Frees all of what a view was cut from, which the caller alone has. Node's own pool is left alone. */
export function giveBackWhole(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength > Buffer.poolSize) free(bytes.buffer);
}

function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
