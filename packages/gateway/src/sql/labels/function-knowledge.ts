/**
 * What is known of the server's functions, for whoever asks where a value comes from.
 *
 * Made by `sql/purity`, per major version of the server; asked by `LabelsReader`.
 */

/**
 * - `pure`: what it gives is made of what it is given only, and it shows that to nobody else.
 * - `reader`: what it gives may have data in it that it was not given: query_to_xml, lo_get.
 * - `sink`: it keeps what it is given, or shows it elsewhere: pg_notify, set_config, lo_from_bytea. What it gives
 *   is made of what it is given, as with a pure one; one that does both a reader's and a sink's work is opaque.
 * - `opaque`: nobody knows.
 */
export type FunctionKind = 'pure' | 'reader' | 'sink' | 'opaque';

export interface FunctionKnowledge {
  /** @param functionOid `pg_proc.oid`, of a function, an aggregate or a window function; unknown ones are opaque */
  of(functionOid: number): FunctionKind;
}
