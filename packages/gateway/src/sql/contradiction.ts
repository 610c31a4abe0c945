/** Whether of several conditions one says what another denies: `id = 1 OR id <> 1` is true for every row. */

import { bare, operatorOf, spelling } from './same-expression.ts';
import { listOf, named, type TreeNode, type TreeValue, textOf } from './tree.ts';

/** Operands of one OR among which contradictions are looked for. */
const OPERANDS_MAX = 64;
const NEGATED: Readonly<Record<string, string>> = {
  '<>': '=',
  '!=': '=',
  '>=': '<',
  '!~~': '~~',
  '!~~*': '~~*',
  '!~': '~',
};

/** Whether one operand is another's opposite: `id = 1 OR id <> 1`. */
export function contradict(args: readonly TreeValue[]): boolean {
  if (args.length > OPERANDS_MAX) return false;
  const seen = new Map<string, boolean>();
  return args.some((arg) => {
    const { claim, affirmed } = claimOf(arg);
    const before = seen.get(claim);
    seen.set(claim, affirmed);
    return before !== undefined && before !== affirmed;
  });
}

/** What an operand says, and whether it says that it is so. */
function claimOf(value: TreeValue): { claim: string; affirmed: boolean } {
  const node = named(bare(value));
  switch (node?.name) {
    case 'BoolExpr': {
      if (node.fields['boolop'] !== 'NOT_EXPR') break;
      const [inner] = listOf(node.fields['args']);
      if (inner === undefined) break;
      const { claim, affirmed } = claimOf(inner);
      return { claim, affirmed: !affirmed };
    }
    case 'NullTest':
      return {
        claim: `null ${spelling(node.fields['arg'])}`,
        affirmed: node.fields['nulltesttype'] === 'IS_NULL',
      };
    case 'BooleanTest': {
      const test = textOf(node.fields['booltesttype']) ?? '';
      return {
        claim: `${test.replace('NOT_', '')} ${spelling(node.fields['arg'])}`,
        affirmed: !test.includes('NOT_'),
      };
    }
    case 'A_Expr':
      return comparisonClaim(node.fields);
    default:
  }
  return { claim: spelling(value), affirmed: true };
}

function comparisonClaim(fields: TreeNode): { claim: string; affirmed: boolean } {
  const kind = textOf(fields['kind']) ?? '';
  const left = spelling(fields['lexpr']);
  const right = spelling(fields['rexpr']);
  if (kind.includes('DISTINCT'))
    return { claim: `distinct ${left} ${right}`, affirmed: !kind.includes('NOT') };
  if (kind.includes('BETWEEN')) {
    return { claim: `between ${left} ${right}`, affirmed: !kind.includes('NOT') };
  }
  const operator = operatorOf(fields);
  // `a > b` is `b < a`, and `a <= b` is not.
  if (operator === '>' || operator === '<=') {
    return { claim: `${kind} < ${right} ${left}`, affirmed: operator === '>' };
  }
  const opposite = NEGATED[operator];
  return { claim: `${kind} ${opposite ?? operator} ${left} ${right}`, affirmed: opposite === undefined };
}
