/** The answer to one request as Node writes it, for HTTP/1.1 and HTTP/2. */

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import type { HttpFields } from '../core/http-message.ts';
import type { ClientAnswer } from '../session/http/http-ports.ts';

/** Over HTTP/1.1. */
export function http1Answer(response: ServerResponse): ClientAnswer {
  return {
    body: response,
    get isOpen() {
      return !response.headersSent && !response.destroyed;
    },
    head: (status, fields, alone) => {
      response.writeHead(status, grouped(fields));
      if (alone) response.flushHeaders();
    },
    trailers: (fields) =>
      response.addTrailers(fields.map(([name, value]): [string, string] => [name, value])),
    closeAfter: () => {
      response.shouldKeepAlive = false;
    },
    destroy: () => {
      response.destroy();
    },
  };
}

/** Over HTTP/2. */
export function http2Answer(response: Http2ServerResponse): ClientAnswer {
  return {
    body: response,
    get isOpen() {
      return !response.headersSent && !response.stream.destroyed;
    },
    head: (status, fields) => {
      response.writeHead(status, joined(fields));
    },
    trailers: (fields) => response.addTrailers(grouped(fields)),
    closeAfter: () => undefined,
    destroy: () => {
      if (!response.stream.destroyed) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    },
  };
}

/** A name that stands there more than once has the list of its values. */
function grouped(fields: HttpFields): OutgoingHttpHeaders {
  const headers = new Map<string, string | string[]>();
  for (const [name, value] of fields) {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]);
  }
  return Object.fromEntries(headers);
}

/** For HTTP/2, of which Node refuses a second line of many names: RFC 9110 §5.3; no cookie comes here. */
function joined(fields: HttpFields): OutgoingHttpHeaders {
  const headers = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = headers.get(name);
    headers.set(name, before === undefined || before === value ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(headers);
}
