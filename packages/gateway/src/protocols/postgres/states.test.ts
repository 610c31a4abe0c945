import { expect, test } from 'vitest';
import { type ClientEvent, type ClientState, clientStep } from './states.ts';

test.each<[string, ClientEvent[], string]>([
  [
    'a session',
    ['SSLRequest', 'StartupMessage', 'AuthenticationResponse', 'authenticated', 'Query', 'Terminate'],
    'handle ended',
  ],
  ['a Query before authentication', ['StartupMessage', 'Query'], 'refuse PROTOCOL_VIOLATION'],
  ['a second start-up', ['StartupMessage', 'authenticated', 'StartupMessage'], 'refuse PROTOCOL_VIOLATION'],
  [
    'a refusal in the extended protocol',
    ['StartupMessage', 'authenticated', 'Parse', 'refused', 'Execute'],
    'discard discarding',
  ],
  [
    'a Sync after a refusal',
    ['StartupMessage', 'authenticated', 'Parse', 'refused', 'Execute', 'Sync'],
    'handle ready',
  ],
  ['leftovers of a COPY', ['StartupMessage', 'authenticated', 'CopyData'], 'discard ready'],
  [
    'a Sync in copy-in mode',
    ['StartupMessage', 'authenticated', 'Query', 'copyInBegins', 'Sync'],
    'discard copyIn',
  ],
  [
    'a Query in copy-in mode',
    ['StartupMessage', 'authenticated', 'Query', 'copyInBegins', 'Query'],
    'refuse PROTOCOL_VIOLATION',
  ],
  ['an unknown message', ['StartupMessage', 'authenticated', 'Unknown'], 'refuse PROTOCOL_VIOLATION'],
])('the table of client states says what %s is', (_, events, expected) => {
  let state: ClientState = 'start';
  let last = '';
  for (const event of events) {
    const step = clientStep(state, event);
    last = `${step.kind} ${step.kind === 'refuse' ? step.code : step.next}`;
    if (step.kind !== 'refuse') state = step.next;
  }
  expect(last).toBe(expected);
});
