/** Commands about the ledger: its state, proofs and shredding over the API; checks on the disk. */

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseVerifierKey } from '@countersign/ledger/note';
import type { LedgerStatusAnswer, ShredAnswer } from '../api/answers.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput, JSON_OPTION } from './command.ts';
import { checkLedger, type LedgerFindings, verifierKeysOf } from './ledger-check.ts';
import { loadedConfig, OFFLINE_OPTIONS } from './offline-config.ts';
import { counted, facts } from './output.ts';

const status: Command = {
  path: 'ledger status',
  summary: 'Size, newest checkpoint and verifier key of the log',
  positionals: [],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    const answer = await client.json<LedgerStatusAnswer>('GET', '/v1/ledger/status');
    await input.show(
      answer,
      facts([
        ['node', answer.node],
        ['origin', answer.origin],
        ['verifier key', answer.verifierKey],
        ['leaves', `${answer.size}, ${answer.signedSize} under a signed checkpoint`],
        ['status', answer.reason === undefined ? answer.status : `${answer.status}: ${answer.reason}`],
        ['software', answer.software],
      ]),
    );
    return answer.status === 'ok' ? undefined : 5;
  },
};

const proof: Command = {
  path: 'ledger proof',
  summary: 'The proof that a leaf is in the log, as c2sp.org/tlog-proof',
  positionals: ['INDEX'],
  options: { out: { type: 'string', value: 'FILE', says: 'Where to write it' }, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const response = await client.stream(
      'GET',
      `/v1/ledger/proof/${encodeURIComponent(input.positional(0))}`,
    );
    const text = await response.text();
    const out = input.option('out');
    if (out === undefined)
      await input.context.print(input.json ? `${JSON.stringify({ proof: text })}\n` : text);
    else {
      await write(out, text);
      await input.show({ file: resolve(out) }, [resolve(out)]);
    }
    return undefined;
  },
};

const shred: Command = {
  path: 'ledger shred',
  summary: 'Make the content of a session unreadable for good; every proof stays valid',
  positionals: [],
  options: {
    session: { type: 'string', value: 'ID', says: 'The session' },
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const body = { session: input.required('session'), reason: input.required('reason') };
    const client = await clientOf(input);
    const answer = await client.json<ShredAnswer>('POST', '/v1/ledger/shred', { body });
    await input.show(answer, [
      `The content of ${answer.session} is gone; leaf ${answer.leaf} says so.`,
      'Backups made before still hold its key: they must go too.',
    ]);
    return undefined;
  },
};

const verify: Command = {
  path: 'ledger verify',
  summary: 'Check every leaf and checkpoint of a log on this machine',
  positionals: [],
  options: {
    ...OFFLINE_OPTIONS,
    vkey: {
      type: 'string',
      value: 'KEY',
      says: 'Verifier key known from elsewhere; else the keys of the installation',
    },
    ...JSON_OPTION,
  },
  async run(input) {
    const findings = await check(input);
    await input.show(findings, findingLines(findings));
    return findings.problems.length === 0 ? undefined : 6;
  },
};

const doctor: Command = {
  path: 'ledger doctor',
  summary: 'Say what is wrong with a log that is refused; record a rollback that was looked at',
  positionals: [],
  options: {
    ...OFFLINE_OPTIONS,
    'accept-rollback': {
      type: 'boolean',
      says: 'Write the leaf ledger.rollback and sign again; the gateway must not run',
    },
    reason: { type: 'string', value: 'TEXT', says: 'With --accept-rollback: what happened' },
    by: { type: 'string', value: 'NAME', says: 'With --accept-rollback: who has looked at it' },
    ...JSON_OPTION,
  },
  async run(input) {
    const findings = await check(input);
    if (!input.flag('accept-rollback')) {
      const advice =
        findings.problems.length === 0
          ? []
          : [
              '',
              'A log that was restored on purpose: --accept-rollback --reason TEXT --by NAME. Else keep every file as it is.',
            ];
      await input.show(findings, [...findingLines(findings), ...advice]);
      return findings.problems.length === 0 ? undefined : 5;
    }
    const rollback = { reason: input.required('reason'), requestedBy: input.required('by') };
    await input.context.ports.recordRollback(await loadedConfig(input), rollback);
    const after = await check(input);
    await input.show(after, ['The rollback is recorded and signed.', ...findingLines(after)]);
    return after.problems.length === 0 ? undefined : 5;
  },
};

export const LEDGER_COMMANDS: readonly Command[] = [status, verify, proof, shred, doctor];

async function check(input: CommandInput): Promise<LedgerFindings> {
  const config = await loadedConfig(input);
  const vkey = input.option('vkey');
  const keys =
    vkey === undefined ? await verifierKeysOf(config, input.context.env) : [parseVerifierKey(vkey)];
  return checkLedger(config, keys);
}

function findingLines({ size, checkpoints, notInterpreted, problems }: LedgerFindings): string[] {
  const unknown =
    notInterpreted === 0 ? '' : `, ${counted(notInterpreted, 'leaf', 'leaves')} not interpreted`;
  const looked = `${counted(size, 'leaf', 'leaves')}, ${counted(checkpoints, 'checkpoint', 'checkpoints')}${unknown}`;
  return problems.length === 0 ? [`ok: ${looked}`] : [...problems.map((text) => `FAILED: ${text}`), looked];
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    throw new CountersignError('REQUEST_INVALID', { reason: reasonOf(error) }, { cause: error });
  }
}
