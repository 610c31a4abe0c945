/** The command line: words → a command → an exit status. Errors go to standard error, with what to do. */

import { LedgerError } from '@countersign/ledger/errors';
import { ERRORS } from '../core/error-rows.ts';
import { CountersignError, type ErrorCode, reasonOf, toCountersignError } from '../core/errors.ts';
import { terminalJson } from './output.ts';
import { safeText } from '../recording/table-text.ts';
import { APPROVAL_COMMANDS } from './approval-commands.ts';
import type { CliContext, Command } from './command.ts';
import { CONNECT_COMMANDS } from './connect-command.ts';
import { EVIDENCE_COMMANDS } from './evidence-commands.ts';
import { GATEWAY_COMMANDS, MACHINE_COMMANDS } from './gateway-commands.ts';
import { LEDGER_COMMANDS } from './ledger-commands.ts';
import { LOGIN_COMMANDS } from './login-commands.ts';
import { parseCommand } from './parse-command.ts';
import { MASKING_COMMANDS } from './masking-commands.ts';
import { MODEL_COMMANDS } from './model-commands.ts';
import { POLICY_COMMANDS } from './policy-commands.ts';
import { REVEAL_COMMANDS } from './reveal-commands.ts';
import { RESOURCE_COMMANDS } from './resource-commands.ts';
import { SESSION_COMMANDS } from './session-commands.ts';
import { TOTP_COMMANDS } from './totp-commands.ts';

const COMMANDS: readonly Command[] = [
  ...GATEWAY_COMMANDS,
  ...LOGIN_COMMANDS,
  ...TOTP_COMMANDS,
  ...CONNECT_COMMANDS,
  ...RESOURCE_COMMANDS,
  ...POLICY_COMMANDS,
  ...SESSION_COMMANDS,
  ...APPROVAL_COMMANDS,
  ...EVIDENCE_COMMANDS,
  ...LEDGER_COMMANDS,
  ...MASKING_COMMANDS,
  ...MODEL_COMMANDS,
  ...REVEAL_COMMANDS,
  ...MACHINE_COMMANDS,
];

/** Runs one command line; gives the exit status. */
export async function runCommandLine(words: readonly string[], context: CliContext): Promise<number> {
  try {
    const parsed = parseCommand(words, COMMANDS, context);
    if (parsed.kind === 'help') {
      await context.print(parsed.text);
      return 0;
    }
    if (parsed.kind === 'version') {
      await context.print(`${context.software}\n`);
      return 0;
    }
    return (await parsed.command.run(parsed.input)) ?? 0;
  } catch (thrown) {
    return complain(thrown, words.includes('--json'), context);
  }
}

function complain(thrown: unknown, json: boolean, context: CliContext): number {
  const error = asCountersignError(thrown);
  const refused = error.code === 'SERVER_REFUSED';
  const given = String(error.details['code'] ?? '');
  const code = refused && given !== '' ? given : error.code;
  const hint = refused ? String(error.details['hint'] ?? '') : hintOf(error);
  if (json) {
    const answer = { code, message: error.message, ...(hint === '' ? {} : { hint }) };
    context.warn(`${terminalJson(JSON.stringify(answer))}\n`);
  } else {
    context.warn(`countersign: ${safeText(error.message)}\n${hint === '' ? '' : `${safeText(hint)}\n`}`);
  }
  return isCode(code) ? ERRORS[code].exit : error.row.exit;
}

/** What to do. An error of this process has no other log than this output, so its cause stands here. */
function hintOf(error: CountersignError): string {
  if (error.code === 'INTERNAL' && error.cause !== undefined) return `The cause: ${reasonOf(error.cause)}`;
  return error.row.hint ?? '';
}

/** What the ledger's package refuses was given by the caller: a verifier key, or a log that is damaged. */
function asCountersignError(thrown: unknown): CountersignError {
  if (!(thrown instanceof LedgerError)) return toCountersignError(thrown);
  return new CountersignError('REQUEST_INVALID', { reason: thrown.message }, { cause: thrown });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
