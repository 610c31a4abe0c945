/**
 * The same bytes without Node's own methods.
 *
 * A Buffer passes for a Uint8Array and is not one: its `slice` is a view where Uint8Array's is a copy, so
 * that what was meant to be kept changes, or keeps alive the whole chunk that it came in.
 */
export function withoutMethods(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer: memory, byteOffset, byteLength } = buffer;
  if (!(memory instanceof ArrayBuffer)) throw new TypeError('shared memory is not expected here');
  return new Uint8Array(memory, byteOffset, byteLength);
}
