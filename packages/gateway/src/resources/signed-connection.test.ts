import { describe, expect, it } from 'vitest';
import { parseResources } from './parse.ts';

const WHOLE =
  'scheme: sigv4, accessKeyId: AKIAIOSFODNN7EXAMPLE, password: { env: S }, region: eu-central-1, service: bedrock';

function connection(credential: string): string {
  return `{ kind: Connection, name: bedrock, protocol: http, target: { url: 'https://h.example' }, credential: { ${credential} } }`;
}

describe('a Connection whose target checks signatures', () => {
  it.each([
    ['with all of it', WHOLE],
    ['with a sealed secret', WHOLE.replace('{ env: S }', '{ sealed: true }')],
    [
      'with keys that end soon',
      `${WHOLE.replace('AKIAIOSFODNN7EXAMPLE', '{ file: /run/id }')}, sessionToken: { file: /run/token }`,
    ],
  ])('is taken %s', (_name, credential) => {
    expect(parseResources(connection(credential))[0]).toMatchObject({
      credential: { scheme: 'sigv4', service: 'bedrock' },
    });
  });

  it.each([
    ['without a secret', WHOLE.replace('password: { env: S }, ', ''), 'credential.password is missing'],
    [
      'without an id',
      WHOLE.replace('accessKeyId: AKIAIOSFODNN7EXAMPLE, ', ''),
      'credential.accessKeyId is missing',
    ],
    ['without a region', WHOLE.replace('region: eu-central-1, ', ''), 'credential.region is missing'],
    ['without a service', WHOLE.replace(', service: bedrock', ''), 'credential.service is missing'],
    ['with a user', `${WHOLE}, user: u`, 'credential.user goes with the scheme basic'],
    ['with a name', `${WHOLE}, name: n`, 'credential.name goes with'],
    ['with the secret itself', WHOLE.replace('{ env: S }', 'wJalrXUtnFEMI'), 'never the password itself'],
    ['with the token itself', `${WHOLE}, sessionToken: abc`, 'sessionToken'],
    ['with an id that is none', WHOLE.replace('AKIAIOSFODNN7EXAMPLE', 'a/b'), 'accessKeyId'],
    ['with a region of another form', WHOLE.replace('eu-central-1', 'EU/x'), 'region'],
    [
      'as a bearer with an id',
      'scheme: bearer, password: { env: S }, accessKeyId: AKIAIOSFODNN7EXAMPLE',
      'goes with the scheme sigv4',
    ],
    [
      'as a bearer with a region',
      'scheme: bearer, password: { env: S }, region: eu-central-1',
      'goes with the scheme sigv4',
    ],
    [
      'as a bearer with a session token',
      'scheme: bearer, password: { env: S }, sessionToken: { env: T }',
      'goes with the scheme sigv4',
    ],
  ])('is refused %s', (_name, credential, says) => {
    expect(() => parseResources(connection(credential))).toThrow(says);
  });
});
