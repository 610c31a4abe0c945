/** The part of yazl 3 that this room uses; the package has no types of its own. */
declare module 'yazl' {
  export interface EntryOptions {
    readonly mtime: Date;
    readonly mode: number;
    readonly compressionLevel: number;
    /** Without it, an extra field holds the time in UTC, which differs by time zone. */
    readonly forceDosTimestamp: boolean;
    readonly size: number;
  }

  export class ZipFile {
    readonly outputStream: NodeJS.ReadableStream;
    addReadStreamLazy(
      path: string,
      options: EntryOptions,
      open: (callback: (error: Error | null, stream: NodeJS.ReadableStream) => void) => void,
    ): void;
    end(): void;
    on(event: 'error', listener: (error: Error) => void): this;
    emit(event: 'error', error: Error): boolean;
  }
}
