/** Commands about the second factor: enrol, confirm, remove. */

import type { FactorOfferAnswer } from '../api/answers.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput } from './command.ts';
import { shortTime } from './output.ts';
import { askCode, OTP_OPTION, PASSWORD_FILE, readPassword } from './secret-input.ts';

const enrol: Command = {
  path: 'totp enrol',
  summary: 'Make a second factor: a secret for an authenticator app, shown once',
  positionals: [],
  options: { ...PASSWORD_FILE, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const password = (await readPassword(input, 'Your password: ')).reveal();
    const answer = await client.json<FactorOfferAnswer>('POST', '/v1/totp', { body: { password } });
    if (!input.json) {
      input.context.warn(
        `Shown once. Put it into your authenticator app (as a QR code, or the part behind secret=), then
countersign totp confirm --otp CODE, until ${shortTime(answer.expiresAt)}:\n`,
      );
    }
    await input.show(answer, [answer.uri]);
    return undefined;
  },
};

const confirm: Command = {
  path: 'totp confirm',
  summary: 'Show a first code: from then on a login needs one',
  positionals: [],
  options: { ...OTP_OPTION, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const otp = await neededCode(input);
    const answer = await client.json<{ readonly confirmed: boolean }>('POST', '/v1/totp/confirm', {
      body: { otp },
    });
    await input.show(answer, [
      'Your second factor counts. This login had none: log in again to use what asks for one.',
    ]);
    return undefined;
  },
};

const remove: Command = {
  path: 'totp remove',
  summary: 'Remove a second factor; tokens that were made with it end',
  positionals: [],
  options: {
    of: { type: 'string', value: 'NAME', says: 'Whose, for administrators; else your own' },
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...OTP_OPTION,
    ...PASSWORD_FILE,
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const owner = input.option('of');
    const reason = input.option('reason');
    const proof =
      owner === undefined
        ? { password: (await readPassword(input, 'Your password: ')).reveal(), otp: await neededCode(input) }
        : { owner };
    const answer = await client.json<{ readonly removed: boolean }>('POST', '/v1/totp/remove', {
      body: { ...proof, ...(reason === undefined ? {} : { reason }) },
    });
    await input.show(answer, ['Removed']);
    return undefined;
  },
};

export const TOTP_COMMANDS: readonly Command[] = [enrol, confirm, remove];

/** From --otp, or typed. */
async function neededCode(input: CommandInput): Promise<string> {
  return (await askCode(input, 'Code of your authenticator app: ')) ?? input.required('otp');
}
