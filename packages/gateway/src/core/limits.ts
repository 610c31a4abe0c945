/**
 * Every bound in the gateway, with its unit in its name and its reason beside it.
 *
 * Nothing is unbounded: a queue, buffer, wait or retry without a row here is a defect.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  postgres: {
    /** PostgreSQL's own MAX_STARTUP_PACKET_LENGTH; larger start-up packets are an attack. */
    startupBytesMax: 10_000,
    /** PostgreSQL's MaxAllocSize is 1 GiB - 1; a longer declared length cannot be a real message. */
    frameBytesMax: 1024 * MiB - 1,
    /** Messages of authentication are short; a client that is not yet known gets no more. */
    authenticationBytesMax: 64 * KiB,
    /** PostgreSQL's PQ_SMALL_MESSAGE_LIMIT: no Sync, Execute, Describe, Close or CopyDone is longer. */
    smallMessageBytesMax: 10_000,
    /** NAMEDATALEN - 1: the server cuts longer names of statements and portals, so two would be one. */
    nameBytesMax: 63,
    /** Nonces, salt and proof take about 200 bytes; certificates' hashes at most 64 more. */
    scramMessageBytesMax: 4 * KiB,
    /** RFC 7677, section 4: a server that asks for fewer helps whoever guesses the password. */
    scramIterationsMin: 4_096,
    /** A target decides how long we compute: 0.1 s at this number. PostgreSQL's default is 4,096. */
    scramIterationsMax: 200_000,
    /** A Query, Parse, Bind or FunctionCall up to this size is held in memory; a larger one is spooled. */
    heldMessageBytesMax: 1 * MiB,
    /** What is kept in memory of a spooled message: the names at its beginning, two of 63 bytes. */
    largeHeadBytesMax: 1 * KiB,
    /** Requests sent and not yet answered; a client that pipelines deeper waits. */
    pipelineDepthMax: 16_384,
    /** Batches of one client that wait for durability before it is read no further. */
    waitingPassagesMax: 1_024,
    /** Prepared statements and portals that the gateway remembers for a session. */
    preparedStatementsMax: 16_384,
    /** Bytes of remembered statement texts and bound values for a session. */
    preparedBytesMax: 256 * MiB,
    /** From accept to the end of login; a silent socket costs no more than this. */
    loginTimeoutMs: 15_000,
    /** An error's text in an outcome leaf; the whole message is in the recording. */
    errorTextBytesMax: 8 * KiB,
    /** After the last message to a peer, before its socket is destroyed. */
    farewellMs: 2_000,
    /** From start of the TCP connection to the target's first ReadyForQuery. */
    upstreamConnectTimeoutMs: 15_000,
    /** A cancel request that the target does not take is given up. */
    cancelTimeoutMs: 5_000,
    /** Bytes waiting to be written to one peer before reading from the other pauses. */
    socketBufferBytesMax: 256 * KiB,
    /** Read buffer per socket; 64 KiB relayed wide results at 1.1 times PgBouncer. */
    readBufferBytes: 64 * KiB,
    /** Sockets that have not logged in yet. */
    unauthenticatedSocketsMax: 4_096,
    /** Sessions open at once. */
    sessionsMax: 10_000,
  },
  ledger: {
    /** A C2SP entry bundle gives an entry a uint16 length. */
    leafBytesMax: 65_535,
    /** A leaf is a header of about 300 bytes; what is longer has content that belongs into the body. */
    bodyBytesMax: 4 * MiB,
    /** Bytes of one Operation's text and values that stand in its body; JSON may make six of one. */
    inlineBytesMax: 512 * KiB,
    /** Appends waiting for the writer; one more is refused and the statement does not run. */
    appendQueueMax: 65_536,
    /** Bytes of bodies waiting for the writer. */
    appendQueueBytesMax: 256 * MiB,
    /** One write and one fdatasync take at most this much. */
    groupBytesMax: 16 * MiB,
    /** A signed checkpoint follows the last leaf within this time (DESIGN: 1 s), with room for the flush. */
    checkpointDelayMs: 500,
    heartbeatIntervalMs: 60_000,
    /** A journal segment is closed at this size: start-up reads one, not the whole history. */
    segmentBytesMax: 64 * MiB,
    /** Kept allocated so that `ledger.halt` can be written on a full disk. */
    ballastBytes: 1 * MiB,
    /** Time going back by more than this is a `clock.step`; less is clamped in silence. */
    clockStepMs: 1_000,
  },
  recording: {
    /** A block is compressed and sealed by itself; replay can start at any block. */
    blockBytesMax: 256 * KiB,
    /** A block is written at the latest after this time, so that a crash loses little. */
    blockDelayMs: 1_000,
    /** A segment is closed and hashed into the ledger at this size, */
    segmentBytesMax: 64 * MiB,
    /** Bytes on their way to the recorder for one session before its sockets pause. */
    queueBytesMax: 4 * MiB,
  },
  identity: {
    /** Failures for one name or one address before it is locked, */
    failuresMax: 10,
    /** counted over this window, */
    failureWindowMs: 15 * 60_000,
    /** and how long the lock lasts. */
    lockMs: 60_000,
    /** Names and addresses remembered for lockout; the oldest go first. */
    lockoutEntriesMax: 100_000,
    /** A token lives at most this long. */
    tokenLifetimeMs: 366 * 24 * 3_600_000,
    /** The first administrator's code. */
    enrolmentCodeLifetimeMs: 24 * 3_600_000,
  },
  api: {
    bodyBytesMax: 4 * MiB,
    pageRowsMax: 1_000,
    requestTimeoutMs: 60_000,
  },
  shutdown: {
    /** Sessions may finish their statement; then they are closed. */
    drainMs: 5_000,
  },
} as const;
