/** A client of the gateway's API: what the demo does as its people. */

/** One gateway. Answers are those of its schema. */
export class DemoApi {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async call<T>(method: string, path: string, token: string | undefined, body?: unknown): Promise<T> {
    const response = await this.raw(method, path, token, body);
    return (await response.json()) as T;
  }

  /** The answer itself; anything but success is an error with what the gateway said. */
  async raw(method: string, path: string, token: string | undefined, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}
