/** The part of limits.ts that the HTTP gate needs, with the same rules: a unit in each name, a reason beside it. */

export const HTTP_LIMITS = {
  /** Sockets at once; as many sessions as a gateway admits, since a session has one or a few. */
  socketsMax: 10_000,
  /** Sockets that have not shown a token yet: enough for a burst of a CI, too few to hold memory with. */
  strangersMax: 1_024,
  /** The first byte, and the TLS handshake behind it; clients send both at once. */
  handshakeTimeoutMs: 10_000,
  /** From the first byte of a head to its last: who sends slower holds a socket and means to. */
  headTimeoutMs: 15_000,
  /** How often Node looks for heads that are late. */
  timeoutCheckMs: 2_000,
  /** An idle connection of a client: longer than the 60 s after which most load balancers close theirs. */
  keepAliveMs: 75_000,
  /** All fields of a head. Node's own 16 KiB is short for tokens of Kubernetes and for SigV4; nginx takes 32 KiB. */
  headBytesMax: 32_768,
  /** Fields of a head; Apache's default. */
  fieldsMax: 100,
  /** Path and query; what Apache and most others take of a request line is 8 KiB. */
  targetBytesMax: 8_192,
  /** Streams of one HTTP/2 connection at once: RFC 9113, section 6.5.2, advises no fewer than 100. */
  streamsMax: 128,
  /** HTTP/2 streams that a client may reset at once, and how many a second after that (CVE-2023-44487). */
  resetsBurst: 256,
  resetsPerSecond: 33,
  /** Memory of one HTTP/2 session in megabytes, Node's `maxSessionMemory`: Node's default. */
  http2SessionMegabytes: 10,
  /** Requests of one session that run or wait at once; a client that wants more waits for an answer first. */
  exchangesMax: 512,
  /** Sessions of one token at once: places are shared with PostgreSQL, and a client makes one by a new name. */
  sessionsPerTokenMax: 256,
  /** A session without a request ends after this: long enough for a person at a notebook to think. */
  sessionIdleMs: 60_000,
  /** Content that policy or a Mask looks at is held in memory, up to this; the largest documented call is below it. */
  heldContentBytesMax: 33_554_432,
  /** Of all requests together: a tenth of a small machine. */
  heldContentTotalBytesMax: 268_435_456,
  /** Decoded bytes for each encoded one: text compresses 20 times, a bomb a thousand times. */
  inflationRatioMax: 100,
  /** A short text of zeros inflates without harm: the ratio counts above this. */
  inflationFreeBytes: 1_048_576,
  /** A client that sends nothing for so long, while its request is not complete. */
  stalledContentMs: 30_000,
  /** A client that takes nothing for so long, while its answer waits for it. */
  stalledAnswerMs: 120_000,
  /** TCP and TLS to a target. */
  upstreamConnectTimeoutMs: 10_000,
  /** A target that says nothing at all for so long; Node's fetch waits as long for a head. */
  upstreamSilenceMs: 300_000,
  /** Sockets to one target at once; more requests wait for one of them. */
  upstreamSocketsMax: 256,
  /** Idle sockets that are kept to one target, and for how long: below the 5 s of Node's own servers. */
  upstreamIdleSocketsMax: 64,
  upstreamIdleMs: 4_000,
  /** Fields of an answer, in bytes: twice what clients may send, for large cookies and policies. */
  answerHeadBytesMax: 65_536,
  /** Targets to which sockets are kept. */
  upstreamTargetsMax: 1_024,
  /** A target's credential is asked for again after so long, so that a new one is used soon. */
  credentialKeptMs: 10_000,
  /** Whether a token is still good is asked again after so long: tokens end by themselves too. */
  tokenCheckMs: 1_000,
  /** A held request waits so long for people; the shortest default timeout of an SDK is 30 s. */
  holdWaitMs: 25_000,
  /** What a client that is told to come back is told to wait, in seconds. */
  retryAfterSeconds: 30,
  /** Bytes of the content that approvers are shown: as much as of a statement. */
  shownContentBytesMax: 16_384,
  /** Unread content of a refused request that is read to its end so that the connection can be used again. */
  dumpedContentBytesMax: 1_048_576,
  /** Fields of a head that a leaf shows, in bytes; the recording has all of them. */
  leafFieldBytesMax: 4_096,
  /** Leaves about requests that nobody can be named for, in a second; the rest are counted. */
  strangerLeavesPerSecond: 10,
  /** Names by which a connection can be reached. */
  hostsMax: 16,
  /** What one byte of JSON takes at most while it is read, beside itself: a node for two bytes, as `[0,0,…]` has. */
  readBytesPerByte: 15,
  /** Exchanges of a recording that are open at once while it is read; more than a session has. */
  replayedExchangesMax: 1_024,
  /** Bytes of a text that a replay shows of one body. */
  replayedBodyBytesMax: 65_536,
  /** A frame of a recorded exchange: a head of the largest size as JSON. */
  frameBytesMax: 1_048_576,
} as const;
