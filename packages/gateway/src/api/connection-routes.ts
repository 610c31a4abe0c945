/** How whoever asks reaches a connection that they may use. */

import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import type { ConnectionAnswer } from './answers.ts';
import { type Route, route } from './route.ts';
import { counts, list, object, STRICT, text, texts } from './schemas.ts';

/** More than any name of a resource has; what is none is told the same as what is not there. */
const NAME_CHARACTERS_MAX = 256;

const show = route({
  key: 'GET /v1/connections/:name',
  summary:
    'Where a connection is reached that the caller may use; of any other nobody hears whether it is there',
  params: Type.Object({ name: text(NAME_CHARACTERS_MAX, 'Name of the connection') }, STRICT),
  answer: object({
    ...texts('name protocol tls'),
    ...counts('port'),
    selfSigned: Type.Boolean(),
    hosts: list(Type.String()),
  }),
  async handle(input): Promise<ConnectionAnswer> {
    const { ports, params } = input;
    const { principal } = input.caller();
    const document = ports.resources.get('Connection', params.name)[0]?.document;
    const isAllowed = ports.resources.stillAllowed(principal, params.name);
    if (document?.kind !== 'Connection' || !isAllowed) {
      const details = { connection: params.name, principal: principal.name };
      throw new CountersignError('CONNECTION_NOT_USABLE', details);
    }
    const { name, protocol } = document;
    const { postgresPort, httpPort, clientTls } = ports;
    return {
      name,
      protocol,
      port: protocol === 'http' ? httpPort : postgresPort,
      tls: clientTls.mode,
      selfSigned: clientTls.isSelfSigned,
      hosts: protocol === 'http' ? (document.hosts ?? []) : [],
    };
  },
});

export const CONNECTION_ROUTES: readonly Route[] = [show];
