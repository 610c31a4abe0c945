/** What becomes of a start-up message's version and parameters: the vectors, and the table of the README. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBackend } from './decode.ts';
import { encodeBackend } from './encode.ts';
import { PROTOCOL_3_2, type StartupParameter } from './messages.ts';
import {
  asksForReplication,
  decodeStartupPacket,
  encodeProtocol2Error,
  encodeStartupPacket,
  forwardedParameters,
  isBeforeProtocol3,
  negotiatedVersion,
  protocolOptions,
  startupParameter,
  startupText,
  unsupportedProtocol,
} from './startup.ts';

const VECTORS = new URL('../../../../../vectors/postgres/negotiate-version.txt', import.meta.url);

function parameters(...pairs: readonly (readonly [string, string])[]): readonly StartupParameter[] {
  return pairs.map(([name, value]) => [Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1')]);
}

interface Case {
  readonly title: string;
  readonly packet: Uint8Array;
  readonly answer: string;
  readonly spoken: number;
}

function readCases(): readonly Case[] {
  const blocks = readFileSync(VECTORS, 'utf8').split('\ncase: ').slice(1);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.trimEnd().split('\n');
    const fields = new Map(
      lines.map((line) => line.split(': ', 2)).map(([key = '', value = '']) => [key, value]),
    );
    const packet = new Uint8Array(Buffer.from(fields.get('packet') ?? '', 'hex'));
    return { title, packet, answer: fields.get('answer') ?? '', spoken: Number(fields.get('spoken')) };
  });
}

describe('the version', () => {
  const cases = readCases();

  test('has vectors', () => expect(cases.length).toBeGreaterThan(8));

  test.each(cases)('$title', ({ packet, answer, spoken }) => {
    const message = decodeStartupPacket(packet);
    if (message.kind !== 'StartupMessage') throw new Error(message.kind);
    const newestVersion = negotiatedVersion(message.protocolVersion);
    expect(newestVersion).toBe(spoken);
    const unrecognizedOptions = protocolOptions(message.parameters);
    const needed = message.protocolVersion > PROTOCOL_3_2 || unrecognizedOptions.length > 0;
    const bytes = encodeBackend({ kind: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions });
    expect(needed ? Buffer.from(bytes).toString('hex') : 'none').toBe(answer);
    expect(decodeBackend(bytes[0] ?? 0, bytes.subarray(5))).toMatchObject({ newestVersion: spoken });
    // The packet is the one that these parameters make.
    expect(encodeStartupPacket(message)).toEqual(packet);
  });

  test.each([
    [0x0002_0000, '2.0', true],
    [0x0001_0000, '1.0', true],
    [0x0004_0000, '4.0', false],
    [0, '0.0', false],
    [80_877_103, '1234.5679', false],
  ])('%i is refused in the words of PostgreSQL, and in the form that its client reads', (code, name, old) => {
    const error = unsupportedProtocol(code);
    expect(error.message).toBe(`unsupported frontend protocol ${name}: server supports 3.0 to 3.2`);
    expect(error.row.sqlstate).toBe('0A000');
    expect(isBeforeProtocol3(error)).toBe(old);
    expect(Buffer.from(encodeProtocol2Error(error)).toString('latin1')).toBe(
      `EFATAL:  unsupported frontend protocol ${name}: server supports 3.0 to 3.2\n\0`,
    );
  });
});

describe('parameters', () => {
  test('the last of a name counts', () => {
    const given = parameters(['user', 'a'], ['geqo', 'on'], ['user', 'b']);
    expect(startupText(given, 'user')).toBe('b');
    expect(startupParameter(given, 'database')).toBeUndefined();
  });

  test('all but the gateway’s own are forwarded: in order, repeated, in any encoding', () => {
    const forwarded = [
      ['geqo', 'off'],
      ['options', '-c work_mem=1MB'],
      ['caf\xe9', '\xff'],
      ['geqo', 'on'],
      ['User', 'x'],
      ['_pq_x', ''],
    ] as const;
    const own = [
      ['user', 'a'],
      ['database', 'b'],
      ['replication', 'off'],
      ['_pq_.', '1'],
      ['_pq_.\xff', '1'],
    ] as const;
    expect(forwardedParameters(parameters(...own, ...forwarded))).toEqual(parameters(...forwarded));
  });

  test.each(['true', 'TRUE', 't', 'tr', 'yes', 'y', 'on', 'ON', '1', 'database'])(
    'replication %s is',
    (value) => {
      expect(asksForReplication(parameters(['replication', value]))).toBe(true);
    },
  );

  test.each(['false', 'F', 'no', 'n', 'off', 'of', '0'])('replication %s is not', (value) => {
    expect(asksForReplication(parameters(['replication', 'on'], ['replication', value]))).toBe(false);
  });

  test.each(['', 'o', ' on', 'DATABASE', 'maybe', '2', 'trues', '\xff'])(
    'replication "%s" is none',
    (value) => {
      expect(() => asksForReplication(parameters(['replication', value], ['replication', 'off']))).toThrow(
        expect.objectContaining({ code: 'REPLICATION_INVALID' }),
      );
    },
  );
});
