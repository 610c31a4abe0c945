/** What is wrong with a request, before a dialect gives it its own form. */

export type ProblemKind =
  | 'invalid'
  | 'unauthorized'
  | 'no-route'
  | 'no-method'
  | 'no-model'
  | 'conflict'
  | 'too-large'
  | 'too-many'
  | 'encoding'
  | 'overloaded'
  | 'broken';

export class Problem extends Error {
  readonly kind: ProblemKind;
  /** The member of the body that it is about, where it is about one. */
  readonly member: string | undefined;

  constructor(kind: ProblemKind, message: string, member?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Problem';
    this.kind = kind;
    this.member = member;
  }
}

export type Statuses = Readonly<Record<ProblemKind, number>>;

/** What most services answer; a dialect says where it differs. `too-many`: more documents than one call may have. */
export const STATUSES: Statuses = {
  invalid: 400,
  unauthorized: 401,
  'no-route': 404,
  'no-method': 405,
  'no-model': 404,
  conflict: 409,
  'too-large': 413,
  'too-many': 400,
  encoding: 415,
  overloaded: 429,
  broken: 500,
};
