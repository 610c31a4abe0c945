/** For tests: a request to the real API. */

export interface TestingAnswer<T> {
  readonly status: number;
  readonly json: T;
  readonly text: string;
}

/**
 * The answer to a request; T is what the test expects of it.
 *
 * @param key method and path, for example `GET /v1/whoami`
 */
export async function testingOnlyCall<T>(
  url: string,
  token: string | undefined,
  key: string,
  body?: unknown,
): Promise<TestingAnswer<T>> {
  const [method = '', path = ''] = key.split(' ');
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertions that follow check it.
  return { status: response.status, json: JSON.parse(text) as T, text };
}
