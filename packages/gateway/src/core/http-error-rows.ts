/** Rows of {@link ./error-rows.ts} that only requests over HTTP meet. */

export const HTTP_ERRORS = {
  HTTP_CLIENT_LEFT: {
    says: 'The client left before its answer was complete.',
    http: 499,
    sqlstate: '57014',
    exit: 5,
    fixedBy: 'caller',
  },
  HTTP_CONTENT_REFUSED: {
    says: 'The content of the request cannot be read: {reason}.',
    hint: 'Policy looks at the content of requests on this connection. Send it whole, in one encoding, and without tricks.',
    http: 400,
    sqlstate: '22000',
    exit: 6,
    fixedBy: 'caller',
  },
  HTTP_CONTENT_SHARE: {
    says: 'The gateway holds {held} of {allowed} bytes of requests for {whose}, and this one needs {needed} more.',
    hint: 'Nothing was forwarded. Send fewer large requests at once, or have those that wait decided.',
    http: 503,
    sqlstate: '53200',
    exit: 5,
    fixedBy: 'caller',
  },
  HTTP_HOST_WITHHELD: {
    says: 'The answer of connection "{connection}" is withheld: it may name an address that leads past the gateway ({reason}).',
    hint: 'A Connection whose target.url is the host of the index makes it one of the gateway: see the guide on HTTP.',
    http: 502,
    sqlstate: '08001',
    exit: 5,
    fixedBy: 'operator',
  },
  HTTP_MALFORMED: {
    says: 'The request is malformed: {reason}.',
    hint: 'Nothing was forwarded.',
    http: 400,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  HTTP_MISDIRECTED: {
    says: 'The TLS connection was made for connection "{connection}", and the request is for another host.',
    hint: 'Open a connection of its own for each host name.',
    http: 421,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
} as const;
