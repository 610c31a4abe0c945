/** The emscripten module inside of libpg-query 18.1.5, as far as `parser.ts` uses it; the package types only its wrapper. */

/* oxlint-disable no-underscore-dangle -- The names are emscripten's. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface PgQueryModule {
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    /** Pointer to { char *tree; char *stderr; Error *error }; 0 where there is no memory. */
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    getValue(pointer: number, type: 'i32'): number;
    UTF8ToString(pointer: number): string;
  }

  export interface PgQueryOptions {
    /** Takes the place of the module's own loading from a file. */
    readonly instantiateWasm: (imports: object, receive: (instance: object) => void) => void;
    readonly print: (line: string) => void;
    readonly printErr: (line: string) => void;
  }

  const createModule: (options: PgQueryOptions) => Promise<PgQueryModule>;
  export { createModule as default };
}
