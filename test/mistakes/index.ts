/**
 * Each class of mistake that gateways of this kind have made, and the tests that would catch it here.
 *
 * A test is a file and a part of a title in it; mistakes.test.ts holds that they are there.
 */

export interface Mistake {
  readonly class: string;
  /** Public instances, so that a reader can look them up. */
  readonly instances: string;
  readonly tests: readonly (readonly [file: string, title: string])[];
  /** What of it cannot be made yet, because nothing here does it. */
  readonly notYet?: string;
}

const API = 'packages/gateway/src/api/api.test.ts';
const ROLES = 'test/mistakes/roles.test.ts';
const GRANTS = 'test/mistakes/grants.test.ts';
const WIRE = 'test/e2e/wire.test.ts';
const STRANGERS = 'test/hostile/strangers.test.ts';
const FLOODS = 'test/hostile/floods.test.ts';
const FUZZ = 'test/fuzz/fuzz.test.ts';
const LOGIN = 'packages/gateway/src/identity/login.test.ts';
const LEDGER = 'packages/gateway/src/audit/ledger.test.ts';
const HOLDS = 'packages/gateway/src/approvals/approvals.test.ts';
const HISTORIES = 'packages/gateway/src/approvals/interleavings.test.ts';
const SHARED = 'test/real/shared-store.test.ts';
const WAITING = 'test/e2e/policy-hold.test.ts';
const INTERLEAVED = 'test/simulation/held-statements.test.ts';
const PARSER = 'packages/gateway/src/sql/parser.test.ts';
const ROW_MASKER = 'packages/gateway/src/masking/rows/row-masker.test.ts';
const TARGET_TLS = 'test/e2e/target-tls.test.ts';

export const MISTAKES: readonly Mistake[] = [
  {
    class: 'Object-level authorisation missing on recordings or live view',
    instances: 'Warpgate CVE-2026-63330; JumpServer CVE-2023-42442; Guacamole CVE-2020-11997',
    tests: [
      [ROLES, 'lets in whom its row lets in, and nobody else'],
      [ROLES, 'is asked for by %s also where the request is an upgrade'],
      [API, 'others’ only for those who may'],
    ],
    notYet: 'a live view; it comes with the console',
  },
  {
    class: 'Authorisation missing on an admin mutation',
    instances: 'Warpgate CVE-2026-91167; JumpServer CVE-2025-62712, CVE-2021-3169; PgBouncer CVE-2026-6667',
    tests: [
      [ROLES, 'lets in whom its row lets in, and nobody else'],
      [API, 'has a row for each route, and a route for each row'],
    ],
  },
  {
    class: 'Tunnel or target not re-checked',
    instances: 'Teleport 10.3.11, 10.3.15; Boundary CVE-2022-36130',
    tests: [
      ['test/e2e/session-ends.test.ts', 'ends when its access is deleted'],
      [
        'packages/gateway/src/resources/resources.test.ts',
        'tells only an administrator that a connection does not exist',
      ],
      ['test/hostile/cancel-storm.test.ts', 'hit the statements of the session whose key they have'],
    ],
    notYet: 'channels of SSH; they come with SSH',
  },
  {
    class: 'Authentication bypass',
    instances: 'Teleport CVE-2025-49825; Warpgate GHSA-868r, GHSA-3cjp',
    tests: [
      [GRANTS, 'is what %s opens'],
      [GRANTS, 'is what an empty name, token or password opens on the API'],
      [LOGIN, "refuses one person's token for another person's name"],
      [FUZZ, 'as $name'],
    ],
    notYet: 'client certificates; nothing takes them',
  },
  {
    class: 'SAML and OIDC validation',
    instances: 'Guacamole CVE-2021-43999; Teleport CVE-2020-29509',
    tests: [],
    notYet: 'no SAML and no OIDC is taken; both come with login for people',
  },
  {
    class: 'Stale grants',
    instances: 'Teleport 16.4.6; PgBouncer CVE-2025-2291',
    tests: [
      [GRANTS, 'ends live sessions within a second and lets nobody in again'],
      ['test/e2e/session-ends.test.ts', 'ends when its token is revoked'],
      ['test/e2e/session-ends.test.ts', 'ends when its principal is disabled'],
      [LOGIN, 'lets nobody in who is revoked while the leaf is written'],
    ],
  },
  {
    class: 'Approval replay or widening',
    instances: 'Warpgate GHSA-fxfw, GHSA-xm63',
    tests: [
      ['packages/gateway/src/approvals/binding.test.ts', 'is another one for another %s'],
      [HOLDS, 'that waits for its session is of that session until it ends'],
      [HOLDS, 'is taken by nobody who has another digest'],
      [HOLDS, 'ends what was asked and granted under another one'],
      [HISTORIES, 'are used once, in time, with enough people, in whatever order things happen'],
      [WAITING, 'gets its answer when somebody else has approved, once: %s'],
      [WAITING, 'is for this text, these values, this role and this search_path only'],
      ['test/e2e/approval-attacks.test.ts', 'what it means may not change'],
      [INTERLEAVED, 'nothing runs twice, unapproved, or on another’s approval in'],
    ],
  },
  {
    class: 'Header or identity spoofing',
    instances: 'Warpgate CVE-2026-63329; Teleport 12.4.28',
    tests: [
      [ROLES, 'is not taken from %s'],
      [ROLES, 'is asked for by %s also where the request is an upgrade'],
    ],
    notYet: 'headers towards HTTP targets; they come with HTTP',
  },
  {
    class: 'Origin, redirect, SSRF, XSS',
    instances: 'Warpgate GHSA-6mq2, GHSA-hhq8, GHSA-3c3w',
    tests: [
      [ROLES, 'is not carried by where a request comes from'],
      ['packages/verify/src/html.test.ts', 'cannot be made to load or run anything else'],
      ['packages/gateway/src/cli/cli.test.ts', 'with nothing that drives a terminal'],
    ],
    notYet: 'a console; content of HTTP targets',
  },
  {
    class: 'A credential’s restriction is lost',
    instances: 'Warpgate CVE-2026-91164',
    tests: [
      [ROLES, 'lets in whom its row lets in, and nobody else'],
      [
        'packages/gateway/src/identity/tokens.test.ts',
        'refuses a lifetime, a name or a number of tokens beyond the limits',
      ],
    ],
    notYet: 'tokens that are good for less than their owner',
  },
  {
    class: 'Host-key or TLS identity mix-up; "preferred" TLS accepting cleartext',
    instances: 'Warpgate CVE-2026-91166, GHSA-r7rf; JumpServer CVE-2026-31798',
    tests: [
      [WIRE, 'verifies the certificate of the target, and its name'],
      [WIRE, 'refuses bytes that come together with the SSLRequest'],
      [TARGET_TLS, 'a target that says %s is refused, and hears nothing more'],
      [TARGET_TLS, 'is not sent to a target that says %s'],
      ['test/e2e/channel-binding.test.ts', 'somebody with another certificate does not get through'],
      ['test/e2e/channel-binding.test.ts', 'somebody with another certificate, even one that is trusted'],
      [FUZZ, 'as $name'],
    ],
  },
  {
    class: 'Resource exhaustion before login',
    instances: 'Warpgate GHSA-78rf, GHSA-qw79; the accept loop of hoop',
    tests: [
      [STRANGERS, 'is closed in time, whatever they are slow with'],
      [STRANGERS, 'is not delayed by 1,000 silent sockets'],
      [STRANGERS, 'gets through where every place is taken'],
      [STRANGERS, 'answers although more sockets are silent than it takes'],
      [FLOODS, 'costs no memory'],
      [FLOODS, 'holds back a target that floods with %s'],
    ],
  },
  {
    class: 'Parser memory and lengths',
    instances:
      'PgBouncer CVE-2026-6664/6665/6666, CVE-2012-4575; Guacamole CVE-2023-30575, CVE-2023-43826, CVE-2024-35164',
    tests: [
      [FUZZ, 'as $name'],
      ['test/hostile/live-fuzz.test.ts', 'of clients end nothing but their own connection'],
      ['test/hostile/live-fuzz.test.ts', 'of targets end nothing but their own session'],
      ['packages/gateway/src/session/postgres/sql-names.test.ts', 'is read in linear time'],
    ],
  },
  {
    class: 'Injection through start-up parameters',
    instances: 'PgBouncer CVE-2025-12819',
    tests: [[GRANTS, 'hears no SQL but the client’s, whatever the start-up parameters are']],
  },
  {
    class: 'Environment or template injection',
    instances: 'Teleport (LD_PRELOAD through SFTP); JumpServer CVE-2024-29201/29202',
    tests: [
      [
        'packages/gateway/src/keys/keys.test.ts',
        'reads a file, a variable and a command, without the line end',
      ],
    ],
    notYet: 'the environment of SSH; no text of a user becomes a template',
  },
  {
    class: 'Secrets in recordings, logs, evidence',
    instances:
      'hoop: the secret of the gateway as the start-up user name; a session cookie forwarded upstream',
    tests: [
      ['test/mistakes/canaries-everywhere.test.ts', 'no key and no credential is in a file'],
      ['test/e2e/canaries.test.ts', 'are in no file, no error, no answer and no package'],
      [API, 'never answers a password, a token that it was given or a part of a key'],
    ],
  },
  {
    class: 'Audit silently lost',
    instances: 'Teleport #6351, #60860; hoop: 50 s flush, a log that is never replayed, a cap of 110 MiB',
    tests: [
      ['test/crash/durable-before-effect.test.ts', 'has an intent leaf for whatever PostgreSQL ran'],
      [WIRE, 'ends a session whose recording cannot be written'],
      [LEDGER, 'cuts a torn tail and says so'],
      ['packages/gateway/src/audit/log-writer.test.ts', 'stops for good where the journal cannot be written'],
      [
        'packages/gateway/src/session/postgres/target-side.test.ts',
        'is the answer to %s, whole, however it is split',
      ],
    ],
  },
  {
    class: 'Fail open',
    instances:
      'Bytebase: an error of EXPLAIN counts as 0 rows; hoop: masking is best-effort, guardrails are silently off',
    tests: [
      [LOGIN, 'lets nobody in when the ledger cannot be written'],
      [
        'packages/gateway/src/api/failures.test.ts',
        'is every request with a token once the ledger cannot be written',
      ],
      ['packages/gateway/src/resources/parse.test.ts', 'throws nothing but its own error, whatever comes'],
      [
        'packages/gateway/src/recording/recording.test.ts',
        'fails every session where its thread cannot start',
      ],
      ['packages/gateway/src/store/store.test.ts', 'reports a file that cannot be opened as STORE_FAILED'],
      [PARSER, 'survives a text that breaks its instance, as often as it comes'],
      [PARSER, 'refuses, and does not fail, when one turn takes all instances, and is back in the next'],
      ['test/e2e/policy-block.test.ts', 'is refused where standard_conforming_strings was switched off'],
      ['test/e2e/server-tree.test.ts', 'knows nothing of a statement for which no tree came'],
      ['test/e2e/estimated-rows.test.ts', 'knows nothing where the target is not asked for its tree'],
      ['test/e2e/function-call-reached.test.ts', 'is blocked where a Rule about something else reaches'],
      [ROW_MASKER, 'is masked or refused, and nothing else, whatever its bytes are'],
      ['test/e2e/masked-session.test.ts', 'goes on to mask where the client turns the messages off'],
      [
        'packages/gateway/src/approvals/crash-points.test.ts',
        'is whole after a process that ends at any await',
      ],
    ],
  },
  {
    class: 'Accounting of humans',
    instances:
      'hoop: one person in two groups counts as two; administrators approve themselves; revoke leaves live sessions',
    tests: [
      [GRANTS, 'ends live sessions within a second and lets nobody in again'],
      [LOGIN, 'counts attempts that come at once as exactly as those that come in turn'],
      ['packages/gateway/src/approvals/approvers.test.ts', 'is never above the number of distinct people'],
      [HOLDS, 'counts once for each person, also one who is in two groups and votes at two gateways'],
      [HOLDS, 'of somebody who left the group meanwhile does not count'],
      [HOLDS, 'ends a request, and a grant, to the second'],
      [HOLDS, 'on the wall widens nothing'],
      [WAITING, 'needs as many distinct people as the rule says'],
      ['packages/gateway/src/api/approvals.test.ts', 'of %s is refused'],
    ],
  },
  {
    class: 'Executed twice',
    instances: 'hoop: an approved command over 50 s can be run again',
    tests: [
      [FUZZ, 'as $name'],
      [
        'packages/gateway/src/identity/enrolment.test.ts',
        'lets one of two through who bring the same code at once',
      ],
      [HISTORIES, 'are used once, in time, with enough people, in whatever order things happen'],
      [
        'packages/gateway/src/approvals/crash-points.test.ts',
        'is whole after a process that ends at any await',
      ],
      [HOLDS, 'in two connections use a grant once'],
      [INTERLEAVED, 'nothing runs twice, unapproved, or on another’s approval in'],
      ['test/e2e/lost-commit.test.ts', 'is unknown, and so is what became of the approval'],
      [SHARED, 'lets one of two gateways use a grant'],
    ],
  },
  {
    class: 'Approval held on an estimate',
    instances: 'Midplane removed holds on EXPLAIN: estimates err low by up to 400,000 times',
    tests: [
      ['test/e2e/row-count.test.ts', '$rows, $way: $what'],
      [WAITING, 'runs nothing where it writes more than was approved by then'],
      ['test/e2e/policy-block.test.ts', 'adds up what a transaction has written'],
      ['test/e2e/row-count-attacks.test.ts', '%s gets nothing there'],
    ],
  },
];
