import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestFieldsFor, valueOf, valuesOf } from './fields.ts';

const NONE: ReadonlySet<string> = new Set();

describe('fields', () => {
  it('have the values of a name in their order, and none of another', () => {
    const field = fc.tuple(fc.constantFrom('a', 'b', 'a-b', ''), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
        for (const name of ['a', 'b', 'a-b', '', 'c']) {
          const expected = fields.filter(([one]) => one === name).map(([, value]) => value);
          expect(valuesOf(fields, name)).toEqual(expected);
          expect(valueOf(fields, name)).toBe(expected[0]);
        }
      }),
    );
  });
});

describe('fields of a request', () => {
  it.each([
    'x-forwarded-for',
    'x_forwarded_for',
    'x-auth-request-user',
    'x-countersign-anything',
    'x_countersign-anything',
    'x-ssl-client-s-dn',
    'x-envoy-original-path',
    'impersonate-user',
    'impersonate_group',
    'x-cohere-api-key',
    'x_cohere_baseurl',
  ])('stay here where they say who somebody is: %s', (name) => {
    expect(requestFieldsFor([[name, 'v']], NONE)).toEqual([]);
  });

  it.each(['x-forwarded', 'x-forwardedfor', 'my-x-forwarded-for', 'impersonated-user', 'x-sslot', 'x_a'])(
    'pass where they say nothing of that: %s',
    (name) => {
      expect(requestFieldsFor([[name, 'v']], NONE)).toEqual([[name, 'v']]);
    },
  );
});
