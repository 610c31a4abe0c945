/** Commands about oneself: enrol, login, logout, whoami, invitations and tokens. */

import type { InvitationAnswer, TokenAnswer, TokensAnswer, WhoamiAnswer } from '../api/answers.ts';
import { Secret } from '../core/secret.ts';
import { type Client, clientOf, clientWithoutToken } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput } from './command.ts';
import { forgetCredentials, loadCredentials, prepareCredentials, saveCredentials } from './credentials.ts';
import { columns, facts, shortTime } from './output.ts';
import { askCode, OTP_OPTION, PASSWORD_FILE, readPassword } from './secret-input.ts';

const enrol: Command = {
  path: 'enrol',
  summary: 'Use a one-time code: become the first administrator, or set the password of an invited person',
  positionals: [],
  options: {
    code: { type: 'string', value: 'CODE', says: 'The one-time code' },
    name: { type: 'string', value: 'NAME', says: 'Name at login' },
    'display-name': { type: 'string', value: 'NAME', says: 'Name for people' },
    otp: { type: 'string', value: 'CODE', says: 'Code of the second factor, where you have one already' },
    ...PASSWORD_FILE,
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = clientWithoutToken(input);
    const displayName = input.option('display-name');
    const otp = input.option('otp');
    const body = {
      code: input.required('code'),
      name: input.required('name'),
      ...(displayName === undefined ? {} : { displayName }),
      ...(otp === undefined ? {} : { otp }),
    };
    await prepareCredentials(input.context.env);
    const password = await readPassword(input, 'New password (15 characters or more): ');
    const answer = await client.json<TokenAnswer>('POST', '/v1/enrol', {
      body: { ...body, password: password.reveal() },
    });
    return keep(input, client, answer);
  },
};

const login: Command = {
  path: 'login',
  summary:
    'Log in with name, password and, where you have one, second factor; keep the token that this gives',
  positionals: [],
  options: {
    name: { type: 'string', value: 'NAME', says: 'Name at login' },
    ...OTP_OPTION,
    ...PASSWORD_FILE,
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = clientWithoutToken(input);
    const name = input.required('name');
    await prepareCredentials(input.context.env);
    const password = (await readPassword(input, `Password of ${name}: `)).reveal();
    const otp = await askCode(input, 'Code of your second factor (empty where you have none): ');
    const body = { name, password, ...(otp === undefined ? {} : { otp }) };
    return keep(input, client, await client.json<TokenAnswer>('POST', '/v1/login', { body }));
  },
};

const logout: Command = {
  path: 'logout',
  summary: 'Revoke the token of the login and forget it',
  positionals: [],
  options: CLIENT_OPTIONS,
  async run(input) {
    const saved = await loadCredentials(input.context.env);
    if (saved !== undefined) {
      const client = await clientOf(input);
      await client.json('DELETE', `/v1/tokens/${encodeURIComponent(saved.tokenId)}`, {
        query: { reason: 'logout' },
      });
    }
    await forgetCredentials(input.context.env);
    await input.show({ loggedOut: saved !== undefined }, [
      saved === undefined ? 'Nobody was logged in' : 'Logged out',
    ]);
    return undefined;
  },
};

const whoami: Command = {
  path: 'whoami',
  summary: 'Who the gateway takes you for',
  positionals: [],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    const answer = await client.json<WhoamiAnswer>('GET', '/v1/whoami');
    const { name, displayName, kind, groups, amr, authenticatedAt, secondFactor } = answer;
    const how = amr === undefined ? 'not known' : `${amr.join(' ')}, ${shortTime(authenticatedAt)}`;
    await input.show(
      answer,
      facts([
        ['name', name],
        ['display name', displayName],
        ['kind', kind],
        ['groups', groups.join(', ')],
        ['login', how],
        ['second factor', secondFactor],
        ['gateway', client.server],
      ]),
    );
    return undefined;
  },
};

const invite: Command = {
  path: 'invite',
  summary: 'A one-time code with which a person sets a password',
  positionals: ['NAME'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    const body = { name: input.positional(0) };
    const answer = await client.json<InvitationAnswer>('POST', '/v1/invitations', { body });
    await input.show(answer, [
      `countersign enrol --server ${client.server} --code ${answer.code} --name ${answer.name}`,
      `Good until ${shortTime(answer.expiresAt)}; shown once.`,
    ]);
    return undefined;
  },
};

const createToken: Command = {
  path: 'token create',
  summary:
    'Make a personal token, the password for psql, or an access key pair for clients of AWS; shown once',
  positionals: [],
  options: {
    name: { type: 'string', value: 'TEXT', says: 'What it is for' },
    days: { type: 'string', value: 'DAYS', says: 'How long it lives; 30 where absent' },
    owner: { type: 'string', value: 'NAME', says: 'Whose; administrators may name another' },
    aws: { type: 'boolean', says: 'An access key pair, with which clients of AWS sign their requests' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const owner = input.option('owner');
    const days = input.count('days');
    const body = {
      name: input.required('name'),
      ...(owner === undefined ? {} : { owner }),
      ...(days === undefined ? {} : { days }),
      ...(input.flag('aws') ? { aws: true } : {}),
    };
    const answer = await client.json<TokenAnswer>('POST', '/v1/tokens', { body });
    if (!input.json)
      input.context.warn(
        `Token ${answer.id} of ${answer.owner}, until ${shortTime(answer.expiresAt)}; shown once:\n`,
      );
    const { accessKeyId, token } = answer;
    const pair = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${token}`];
    await input.show(answer, accessKeyId === undefined ? [token] : pair);
    return undefined;
  },
};

const listTokens: Command = {
  path: 'token list',
  summary: 'Tokens that there are',
  positionals: [],
  options: {
    owner: { type: 'string', value: 'NAME', says: 'Whose; administrators may name another' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const answer = await client.json<TokensAnswer>('GET', '/v1/tokens', {
      query: { owner: input.option('owner') },
    });
    const rows = answer.tokens.map((token) => [
      token.id,
      token.name,
      token.state,
      shortTime(token.createdAt),
      shortTime(token.expiresAt),
      shortTime(token.lastUsedAt),
    ]);
    await input.show(answer, columns(['ID', 'NAME', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'], rows));
    return undefined;
  },
};

const revokeToken: Command = {
  path: 'token revoke',
  summary: 'End a token; sessions that it opened end with it',
  positionals: ['ID'],
  options: {
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/tokens/${encodeURIComponent(input.positional(0))}`;
    const query = { reason: input.option('reason') };
    const answer = await client.json<{ readonly revoked: boolean }>('DELETE', path, { query });
    await input.show(answer, [answer.revoked ? 'Revoked' : 'It had ended already']);
    return undefined;
  },
};

export const LOGIN_COMMANDS: readonly Command[] = [
  enrol,
  login,
  logout,
  whoami,
  invite,
  createToken,
  listTokens,
  revokeToken,
];

/** The token itself is in the file and nowhere else. */
async function keep(input: CommandInput, client: Client, answer: TokenAnswer): Promise<undefined> {
  const { id: tokenId, owner: name, expiresAt } = answer;
  const token = new Secret(answer.token);
  const how = answer.amr?.includes('mfa') === true ? ' with a second factor' : '';
  const file = await saveCredentials(input.context.env, { server: client.server, name, tokenId, token });
  await input.show(
    { name, tokenId, expiresAt, file, ...(answer.amr === undefined ? {} : { amr: answer.amr }) },
    [`Logged in at ${client.server} as ${name}${how}, until ${shortTime(expiresAt)}; kept in ${file}`],
  );
  return undefined;
}
