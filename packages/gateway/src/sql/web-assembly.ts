/** WebAssembly as far as it is used here: TypeScript describes it with the browser's types only. */

export interface CompiledModule {
  /** A new instance, with memory of its own. */
  instantiate(imports: object): object;
}

interface WebAssemblyNamespace {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => object;
}

/** Compiles on this thread: it is done once. */
export function compileModule(bytes: Uint8Array): CompiledModule {
  const { Module, Instance } = namespaceOf(globalThis);
  const module = new Module(bytes);
  return { instantiate: (imports) => new Instance(module, imports) };
}

/** The border: every runtime that the gateway runs on has it. */
function namespaceOf(scope: object): WebAssemblyNamespace {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The types alone are missing.
  return (scope as { readonly WebAssembly: WebAssemblyNamespace }).WebAssembly;
}
