import { expect, it } from 'vitest';
import { readVectors } from '../../../../../test/conformance/vectors.ts';
import { Secret } from '../../core/secret.ts';
import { builtInType } from './built-in-types.ts';
import { bytesOfHex } from './bytes.ts';
import { MaskingKeyRing } from './key-ring.ts';
import { parseOperator } from './parse-operator.ts';
import { masked, textOf } from './testing-masks.ts';

const FIELDS = ['id', 'secret', 'operator', 'entity', 'oid', 'typmod', 'value', 'masked', 'reversible'];
const [key, ...vectors] = readVectors('masking/masks.txt', FIELDS);
const secret = bytesOfHex(key?.one('secret') ?? '') ?? new Uint8Array(0);
const keys = new MaskingKeyRing({ id: Number(key?.one('id')), secret: new Secret(secret) });

/** Masks are in other people's databases: what makes them may not change within a version. */
it.each(vectors.map((vector) => [vector.one('operator'), vector.one('value'), vector] as const))(
  'is as in the vectors: %s of %s',
  (kind, value, vector) => {
    const type = builtInType(Number(vector.one('oid')), Number(vector.one('typmod')));
    const operator = parseOperator({ kind }, 'vectors');
    const result = masked({ operator, entity: vector.one('entity'), type, keys }, value);
    expect(textOf(result.value)).toBe(vector.one('masked'));
    expect(String(result.reversible)).toBe(vector.one('reversible'));
  },
);
