/**
 * Every bound in the gateway, with its unit in its name and its reason beside it.
 *
 * Nothing is unbounded: a queue, buffer, wait or retry without a row here is a defect. Those of masks are in
 * masking-limits.ts.
 */

export const LIMITS = {
  postgres: {
    /** PostgreSQL's own MAX_STARTUP_PACKET_LENGTH, without the length's four bytes; more is an attack. */
    startupBytesMax: 10_000,
    /** PostgreSQL's PQ_LARGE_MESSAGE_LIMIT: it breaks off where a client declares a longer message. */
    requestBytesMax: 1_073_741_822,
    /** PostgreSQL's MaxAllocSize is 1 GiB - 1, with a final zero; a message of a server cannot be longer. */
    frameBytesMax: 1_073_741_826,
    /** Messages of authentication are short; a client that is not yet known gets no more. */
    authenticationBytesMax: 65_536,
    /** PostgreSQL's PQ_SMALL_MESSAGE_LIMIT: no Sync, Execute, Describe, Close or CopyDone is longer. */
    smallMessageBytesMax: 10_000,
    /** NAMEDATALEN - 1: the server cuts longer names of statements and portals, and so does the gateway. */
    nameBytesMax: 63,
    /** Nonces, salt and proof take about 200 bytes; certificates' hashes at most 64 more. */
    scramMessageBytesMax: 4_096,
    /** RFC 7677, section 4: a server that asks for fewer helps whoever guesses the password. */
    scramIterationsMin: 4_096,
    /** A target decides how long we compute: 0.1 s at this number. PostgreSQL's default is 4,096. */
    scramIterationsMax: 200_000,
    /** A Query, Parse, Bind or FunctionCall up to this size is held in memory; a larger one is spooled. */
    heldMessageBytesMax: 1_048_576,
    /** What is kept in memory of a spooled message: the names at its beginning, two of 63 bytes. */
    largeHeadBytesMax: 1_024,
    /** Requests sent and not yet answered; a client that pipelines deeper waits. */
    pipelineDepthMax: 16_384,
    /** Batches of one client that wait for durability before it is read no further. */
    waitingPassagesMax: 1_024,
    /** Bodies of intents of one client that wait for durability before it is understood any further. */
    waitingBodyBytesMax: 1_048_576,
    /** Prepared statements and portals that the gateway remembers for a session. */
    preparedStatementsMax: 16_384,
    /** Bytes of remembered statement texts and bound values for a session, */
    preparedBytesMax: 268_435_456,
    /** for all sessions together, */
    preparedBytesTotalMax: 536_870_912,
    /** and what each session may have although the others have all of that: 625 MiB for 10,000. */
    preparedBytesOwn: 65_536,
    /** Salted passwords of targets that are remembered, so that a login does not compute them again. */
    saltedPasswordsMax: 128,
    /** From accept to the end of login; a silent socket costs no more than this. */
    loginTimeoutMs: 15_000,
    /** An error's text in an outcome leaf; the whole message is in the recording. */
    errorTextBytesMax: 8_192,
    /** After the last message to a peer, before its socket is destroyed. */
    farewellMs: 2_000,
    /** Secret of a cancel key, as PostgreSQL's own: at protocol 3.2, */
    cancelKeyBytes: 32,
    /** and before, where the message has room for no more. */
    cancelKeyBytesShort: 4,
    /** One read from a plain target takes at most this much; the place for it is shared by all sessions. */
    targetReadBytes: 131_072,
    /** Copies of at least this size go into buffers that are used again; smaller ones cost little as garbage. */
    copiesPooledBytesMin: 8_192,
    /** Such buffers that are kept, of the size of a read: eight mebibytes. */
    copiesPooledMax: 64,
    /** A silent peer is asked whether it is there after this time; the kernel then asks ten times, once a second. */
    keepAliveDelayMs: 60_000,
    /** A statement whose client has left runs on, for its outcome; a target that is silent for longer never answers. */
    orphanedStatementMs: 86_400_000,
    /** From start of the TCP connection to the target's first ReadyForQuery. */
    upstreamConnectTimeoutMs: 15_000,
    /** All that a target says before its first ReadyForQuery, which is kept; login triggers may be talkative. */
    greetingBytesMax: 1_048_576,
    /** A cancel request that the target does not take within this time may hit anything: the session ends. */
    cancelTimeoutMs: 5_000,
    /** Bytes waiting to be written to one peer before reading from the other pauses. */
    socketBufferBytesMax: 262_144,
    /** Read buffer per socket; 64 KiB relayed wide results at 1.1 times PgBouncer. */
    readBufferBytes: 65_536,
    /** Sockets that have not logged in yet. */
    unauthenticatedSocketsMax: 4_096,
    /** Sessions open at once. */
    sessionsMax: 10_000,
  },
  sql: {
    /** A text up to this is read on the thread of the sessions: about a millisecond; a longer one is not. */
    inlineTextBytesMax: 4_096,
    /** A text that is not read by then is too complex to inspect, and its thread is ended. */
    parseTimeoutMs: 250,
    /** A text that nobody has begun to read by then is refused. */
    parseWaitMs: 5_000,
    /** Long texts that wait; every session has at most one. */
    waitingTextsMax: 1_024,
    /** One that is stuck leaves another. */
    parserThreads: 2,
    /** PostgreSQL's parser is recursive: enough for 60,000 terms of a sum. */
    parserStackMegabytes: 64,
    /** Heap of such a thread: the tree of 1 MiB of text as JSON and as objects. */
    parserHeapMegabytes: 512,
    /** A parser takes 0.25 s for so much, and the target's own as long; a longer text is data in disguise. */
    textBytesMax: 1_048_576,
    /** PostgreSQL's lexer is quadratic in it, the server's too: 10,000 levels take seconds. People use one or two. */
    commentDepthMax: 32,
    /** Parentheses, brackets and CASE: bison's stack of 10,000 ends between 3,000 and 10,000 levels, V8's may before. */
    nestingMax: 1_000,
    /** Statements of one text; every one is an Operation to decide on. Migrations have some hundreds. */
    statementsMax: 1_000,
    /** Facts are kept for so many texts, */
    cachedTextsMax: 20_000,
    /** their texts and facts together, as estimated, */
    cachedBytesMax: 16_777_216,
    /** and for texts up to this size: longer ones carry their values and do not come again. */
    cachedTextBytesMax: 8_192,
    /** Parts of a WHERE that are looked at to find that it is true for every row; beyond them it is taken to be. */
    conditionStepsMax: 200_000,
    /** Instances of the parser that stand ready; one is lost to each text that is too deep for the stack. */
    spareParsers: 2,
  },
  serverTree: {
    /** The trees of one text: 2 KB for a point select, 200 bytes for each literal of a list; read in one turn. */
    bytesMax: 8_388_608,
    /** Tokens, lists and nodes of a tree, all in memory; a real one has one for each nine bytes. */
    valuesMax: 1_048_576,
    /** Nodes within nodes; `1+1+…` has two for each sign, and PostgreSQL's own stack ends at some ten thousand. */
    depthMax: 16_384,
    /** What the catalog says of one statement; a row has about 300 bytes. */
    answerBytesMax: 4_194_304,
    /** Functions, operators and casts that users of one database have made; extensions bring some thousands. */
    catalogRowsMax: 100_000,
    /** Fields of kinds of nodes that are remembered; PostgreSQL has about 450 kinds with five each. */
    shapesMax: 16_384,
    /** What the target said is asked again after this: nobody tells a session what another one has redefined. */
    answerMaxAgeMs: 10_000,
    /** Answers that a session keeps; applications send some dozens of texts again and again, */
    cachedAnswersMax: 128,
    /** and short ones: those with their values in them do not come again. */
    cachedTextBytesMax: 4_096,
    /** Catalogs of sets of tables and functions, which different texts share. */
    cachedCatalogsMax: 32,
    /** PostgreSQL's own functions that a session has met; there are some 3,300 of them. */
    builtInFunctionsMax: 4_096,
    /** Names and operators of one text that are looked up; a migration has some hundreds. */
    namesMax: 4_096,
    /** PostgreSQL's longest operator has five characters. */
    operatorCharactersMax: 12,
  },
  ledger: {
    /** A C2SP entry bundle gives an entry a uint16 length. */
    leafBytesMax: 65_535,
    /** A leaf is a header of about 300 bytes; what is longer has content that belongs into the body. */
    bodyBytesMax: 4_194_304,
    /** Bytes of one Operation's text and values that stand in its body; JSON may make six of one. */
    inlineBytesMax: 524_288,
    /** A longer text, or longer values, of a prepared statement stand in full in the first intent that runs it. */
    restatedBytesMax: 16_384,
    /** Appends waiting for the writer; one more is refused and the statement does not run. */
    appendQueueMax: 65_536,
    /** Bytes of bodies waiting for the writer, */
    appendQueueBytesMax: 268_435_456,
    /** beyond which a request with more than this is refused: whoever fills the queue stops no small statements. */
    appendSmallBytesMax: 65_536,
    /** One write and one fdatasync take at most this much. */
    groupBytesMax: 16_777_216,
    /** The journal is this much longer than its records: overwriting is durable sooner than growing. */
    journalReserveBytes: 1_048_576,
    /** A signed checkpoint follows the last leaf within this time (DESIGN: 1 s), with room for the flush. */
    checkpointDelayMs: 500,
    /** Outcomes wait this long for an intent whose flush they can share. */
    unhurriedDelayMs: 5,
    heartbeatIntervalMs: 60_000,
    /** A journal segment is closed at this size: start-up reads one, not the whole history. */
    segmentBytesMax: 67_108_864,
    /** Full tiles that a checkpoint syncs, 0.5 ms each: enough for 1,000 leaves a second at one checkpoint each. */
    settledAtOnce: 8,
    /** Full tiles that wait for it; a start builds these again, and holds 45 KiB of each in memory. */
    unsettledMax: 2_048,
    /** Kept allocated so that `ledger.halt` can be written on a full disk. */
    ballastBytes: 1_048_576,
    /** Time going back by more than this is a `clock.step`; less is clamped in silence. */
    clockStepMs: 1_000,
  },
  recording: {
    /** A block is compressed and sealed by itself; replay can start at any block. */
    blockBytesMax: 262_144,
    /** Most sessions are short or idle: a block's buffer starts at this size and grows by four. */
    blockBytesFirst: 16_384,
    /** A block is written at the latest after this time, so that a crash loses little. */
    blockDelayMs: 1_000,
    /** A segment is closed and hashed into the ledger at this size, */
    segmentBytesMax: 67_108_864,
    /** Bytes on their way to the recorder for one session before its sockets pause. */
    queueBytesMax: 4_194_304,
    /** With more than this on their way, blocks of a session are compressed faster and less. */
    hurriedBytes: 524_288,
    /** A caller that records on although its session is full loses the session at this many bytes. */
    queueBytesRefused: 67_108_864,
    /** Bytes on their way to the recorder for all sessions before each that records is full. */
    queueBytesTotalMax: 134_217_728,
    /** Buffers of blocks that are kept for the next block. */
    pooledBytesMax: 16_777_216,
    /** Files of segments open at once; the least recently written is closed and opened again. */
    openFilesMax: 4_096,
    /** One event; it has to fit into a block. */
    eventBytesMax: 65_536,
    /** Format limit of a block's plaintext (spec/recording.md, section 2). */
    plainBytesMax: 1_048_576,
    /** Six digits: 64 TB of one session. */
    segmentsMax: 1_000_000,
    /** Rows of one result that a replay keeps, */
    replayRowsMax: 1_000,
    /** bytes of one statement's text, values, rows and notices together, */
    replayBytesMax: 4_194_304,
    /** results of one simple Query with very many statements, */
    replayResultsMax: 64,
    /** and requests without an answer, as many as a live session may have. */
    replayPendingMax: 16_384,
    /** A column of a table that is shown to people. */
    columnWidthMax: 80,
  },
  spool: {
    /** Messages that are spooled at once; each holds a file. */
    messagesMax: 256,
    /** Bytes on disk: eight messages of the largest size that PostgreSQL takes. */
    bytesMax: 8_589_934_592,
    /** Messages of one principal, who may never end them, */
    ownerMessagesMax: 192,
    /** and the part of the bytes that one principal may have. */
    ownerShare: 0.75,
    /** Sealed by itself and held in memory while it is written or read. */
    chunkBytes: 65_536,
  },
  threads: {
    /** Three semi-spaces of 8 MiB: with V8's own bound a busy thread has 117 MB of young garbage, and is no faster. */
    youngGenerationMegabytes: 24,
  },
  identity: {
    /** Failures for one name from one address before the two together are locked, */
    failuresMax: 10,
    /** and for one address with any name: more, because an office may stand behind one address, */
    addressFailuresMax: 100,
    /** counted over this window, */
    failureWindowMs: 900_000,
    /** and how long the lock lasts. */
    lockMs: 60_000,
    /** Names and addresses remembered for lockout; the oldest go first. */
    lockoutEntriesMax: 100_000,
    /** Refused attempts during a lock that get a leaf each; then one a window, which says how many. */
    lockedLeavesMax: 10,
    /** A token lives at most this long. */
    tokenLifetimeMs: 31_622_400_000,
    /** The token that a name and a password give. */
    loginTokenLifetimeMs: 43_200_000,
    /** Live tokens of one principal: SCRAM tries each at every login. */
    tokensPerPrincipalMax: 32,
    /** Beside these, tokens that came from a password; the oldest gives way to the next. */
    loginTokensPerPrincipalMax: 8,
    /** A label that its owner reads in a list. */
    tokenNameCharactersMax: 100,
    /** Rows of tokens that ended are kept so long for lists; the ledger keeps them for good. */
    tokenRetentionMs: 7_776_000_000,
    /** `last used` is written again after this time, so that a login is not one more write. */
    tokenTouchIntervalMs: 60_000,
    /** RFC 7677's least: stretching protects guessable passwords, and a token has 160 random bits. */
    scramIterations: 4_096,
    /** Every name looks as if it had at least so many tokens, so that time does not tell who exists. */
    scramCandidatesMin: 8,
    /** What is kept of a name or a client's own words in a leaf; a start-up packet has 10,000 bytes. */
    attemptTextCharactersMax: 256,
    /** A name that is shown to people. */
    displayNameCharactersMax: 200,
    /** NIST SP 800-63B-4: 15 where the password stands alone, as it does here. */
    passwordCharactersMin: 15,
    /** Argon2 reads all of it before anybody is known. */
    passwordBytesMax: 1_024,
    /** RFC 9106, section 4, second recommended option: 64 MiB, 3 passes, 4 lanes. */
    argon2MemoryKib: 65_536,
    argon2Passes: 3,
    argon2Lanes: 4,
    /** Passwords hashed at once: 128 MiB and half of the thread pool, */
    passwordChecksMax: 2,
    /** and those that wait for it; one more is refused. */
    passwordWaitersMax: 64,
    /** Pseudonyms in memory, 100 bytes each. */
    actorsCachedMax: 10_000,
    /** Who listens to revoked tokens and disabled people: a handful of rooms, so that more is a leak. */
    listenersMax: 64,
    /** The first administrator's code. */
    enrolmentCodeLifetimeMs: 86_400_000,
  },
  api: {
    /** The largest request is an `apply`, whose text grows when it becomes a JSON string. */
    bodyBytesMax: 4_194_304,
    /** Rows of one answer, */
    pageRowsMax: 1_000,
    /** and where nobody says how many. */
    pageRowsDefault: 100,
    /** Bodies of statements in one answer; one more may follow, and JSON and its text take several times as much. */
    pageBytesMax: 16_777_216,
    /** A client has this long to send a request; answers may take longer. */
    requestTimeoutMs: 60_000,
    /** The head of a request is there within this time, */
    headersTimeoutMs: 15_000,
    /** which is looked at so often. */
    timeoutCheckMs: 5_000,
    /** Nothing moves on a socket: a package of a long period takes a while before its first byte. */
    stalledAnswerMs: 600_000,
    /** Sockets at once: people and jobs, not statements, come this way; */
    connectionsMax: 1_024,
    /** of these, sockets without a request of somebody who was identified: more give way. */
    strangersMax: 512,
    /** Leaves that one request about a session looks at; the answer says where to go on. */
    leavesScannedMax: 1_000_000,
    /** Statements of a replay that are looked at for the one that a leaf is about. */
    replayWindowMax: 64,
    /** Their texts, which are all that is kept of them. */
    replayWindowBytesMax: 4_194_304,
    /** Packages that are built at once: each reads the whole log of its period twice. */
    exportsMax: 1,
    /** A reason that somebody gives. */
    reasonCharactersMax: 1_000,
  },
  cli: {
    /** An answer that is held in memory; packages and replays are streamed. */
    answerBytesMax: 67_108_864,
    /** Files that hold a password or resources. */
    fileBytesMax: 4_194_304,
    /** Cases of one file of `policy test`: 100,000 lines of YAML are written by no person. */
    policyCasesMax: 10_000,
    /** One line of a replay: limits.recording.replayBytesMax, and JSON may make six of one. */
    lineBytesMax: 33_554_432,
    /** An answer has begun after this time; a package of a long period takes the longest. */
    answerTimeoutMs: 600_000,
  },
  approvals: {
    /** Holds that are asked or granted, of all gateways of a store: what approvers can still look through. */
    openMax: 1_000,
    /** Of one principal: whoever asks for more should talk to their approvers first. */
    openPerPrincipalMax: 20,
    /** Bytes of a statement that an approver is shown; beyond it, its length and SHA-256. */
    statementBytesMax: 65_536,
    /** Who may approve: names and groups of one rule. */
    approversMax: 64,
    /** People who have to approve one thing. */
    countMax: 16,
    /** Votes on one hold; those of people who left their groups stay and do not count. */
    votesMax: 64,
    /** A comment or a reason that somebody gives. */
    commentCharactersMax: 1_000,
    /** A request waits a week at most: what it is bound to has changed by then. */
    expiresMsMax: 604_800_000,
    /** A grant that is not used within a day was not needed. */
    useWithinMsMax: 86_400_000,
    /** What was opened in an emergency is looked at within a month at most: later nobody remembers. */
    reviewMsMax: 2_592_000_000,
    /** Affected rows that an approver is shown by their keys, */
    affectedKeysMax: 5,
    /** and characters of a key. */
    affectedKeyCharactersMax: 256,
    /** Texts of one fact, an effect for one; */
    factCharactersMax: 256,
    /** and such facts. */
    factsMax: 64,
    /** Bound values of one statement: PostgreSQL's own limit. */
    parametersMax: 65_535,
    /** Settings of a session, and other context, that one hold is bound to. */
    contextMax: 256,
    /** Requests about one hold that wait for the one before them to be signed. */
    waitingMax: 64,
    /** Sessions and others who wait for the end of a hold. */
    waitersMax: 10_000,
    /** How often what is overdue, and what other gateways did, is looked for: half of the promised second. */
    sweepMs: 500,
    /** An error that comes at every look is in the operator's log once in this time. */
    complaintMs: 60_000,
    /** Overdue holds that one look ends. */
    sweepMax: 100,
    /** A change of another gateway takes a second; after this time that gateway is gone, and expiry goes on without it. */
    abandonedMs: 60_000,
    /** Tries of a change that met another one. */
    triesMax: 8,
    /** Rows that one list looks at; the answer says where to go on. */
    scannedMax: 10_000,
  },
  notify: {
    /** Targets of each kind in the configuration. */
    targetsMax: 16,
    /** Notices that wait for one target; more than so many holds are open nowhere. */
    queueMax: 1_000,
    /** Tries of one target at once: a slow one must not be stormed. */
    concurrentMax: 4,
    /** One try, whose other side has nothing to do but to take it. */
    attemptTimeoutMs: 10_000,
    /** Pauses between tries, five in all: a restart of the other side is over by then, and a hold soon too. */
    pausesMs: [1_000, 5_000, 20_000, 60_000],
    /** What a command may print; nobody reads it. */
    commandOutputBytesMax: 65_536,
    /** `whsec_` and base64 of 64 bytes, and a line end. */
    secretBytesMax: 128,
  },
  store: {
    /** Statements kept prepared on the one SQLite connection; the gateway has fewer than this. */
    statementsMax: 256,
    /** Transactions that wait for their turn; one more is refused. */
    waitersMax: 10_000,
    /** A turn that does not come within this time means a transaction that never ends. */
    waitMs: 15_000,
    /** Another process, a backup for one, may hold the file this long. */
    busyTimeoutMs: 5_000,
    /** A try, and the pause between two: SQLite waits on the thread of the sockets. */
    busyBlockMs: 20,
    /** Connections to a shared PostgreSQL store; its default lets 100 in for all gateways. */
    poolMax: 8,
    /** A statement on the shared store; all of them touch few rows by key. */
    statementTimeoutMs: 10_000,
    /** An answer that does not come within this time never comes; a login has 15 s in all. */
    answerTimeoutMs: 12_000,
    /** Who listens to changes: a handful of rooms, so that more is a leak. */
    listenersMax: 64,
  },
  keys: {
    /** Unwrapped keys of scopes in memory: one for each open session, and room for readers. */
    cachedMax: 16_384,
    /** The installation key's file, text or command output: 44 characters of base64 and a line end. */
    sourceBytesMax: 1_024,
    /** A command that gives a key or a password has this long. */
    commandTimeoutMs: 10_000,
  },
  resources: {
    /** One request of `apply`; the API's own limit is above. */
    textBytesMax: 2_097_152,
    /** Documents in one `apply`: all stand in one group of leaves. */
    documentsMax: 2_000,
    /** Aliases of one YAML document; more is an attack on memory ("billion laughs"). */
    aliasesMax: 100,
    /** Depth of a document; the schema needs four. */
    depthMax: 16,
    /** Views of all resources that are remembered: a statement that ran a while is asked for under the one that judged it. */
    viewsKeptMax: 8,
    /** Answers that one view remembers: of each principal with an open hold, on each of its connections. */
    decidingKeptMax: 10_000,
    /** Resources of one installation, all held in memory. */
    totalMax: 50_000,
    /** Names in one list of a resource. */
    listMax: 1_000,
    /** A password that is read from a file, an environment variable or a command. */
    passwordBytesMax: 4_096,
    /** PEM certificates that a connection trusts; the system's whole list has half of it. */
    certificateBytesMax: 524_288,
    /** Changes that wait for the one before them to be in the ledger and in effect. */
    waitingChangesMax: 64,
  },
  policy: {
    /** Names that SQL's PREPARE gave in one session; with more, none is known any more. */
    preparedNamesMax: 1_000,
    /** Statements that one of those names may stand for, because nobody can tell which PREPARE succeeded. */
    sameNameMax: 16,
    /** An answer that is kept back while its rows are counted; a statement with a longer one does not run. */
    keptAnswerBytesMax: 1_048_576,
    /** What is withheld of an answer before the target is asked to cancel: that costs a connection. */
    discardedAnswerBytesMax: 1_048_576,
    /** Runs of one statement whose rows are counted: each time it wrote more than was granted. */
    countedRunsMax: 5,
    /** Runs of deferred triggers before COMMIT, each of which may defer more; what goes on is refused. */
    deferredRunsMax: 8,
    /** Outcomes of one pipeline that wait until it is kept; drivers pipeline some thousands at most. */
    keptOutcomesMax: 10_000,
    /** Tables that one session has written to, whose counters are looked at before it writes again. */
    writtenTablesMax: 1_000,
    /** What approvers are shown of rows is looked for so long at the target: finding them reads whole tables. */
    lookTimeoutMs: 1_000,
    /** A client waits so long for people inside of its own transaction: others wait for its locks meanwhile. */
    waitInTransactionMs: 300_000,
    /** Bytes of a client that are read while its statement waits for people. */
    waitingClientBytesMax: 262_144,
    /** Causes of a decision that its leaf names; the first ones say enough. */
    causesMax: 32,
  },
  evidence: {
    /** GRC tools refuse files above 100 MB; a part ends before that. */
    partBytesMax: 95_000_000,
    /** Bytes of one file that wait to be written to it. */
    writeBufferBytes: 262_144,
    /** zlib's default; a fixed level is part of what makes packages byte-identical. */
    compressionLevel: 6,
    /** A file up to this is deflated at once, a longer one in pieces of it. */
    compressAtOnceBytes: 1_048_576,
    /** Sessions open at the start of a range, with their first leaf in memory; twice what a gateway admits. */
    openSessionsMax: 20_000,
    /** Keys of scopes that an export remembers: the sessions that are open at once, and as many again. */
    scopeKeysMax: 40_000,
    /** Heap of an export's thread: sessions and statements that are open, and 40,000 tiles of 5 million leaves. */
    threadHeapMegabytesMax: 512,
    /** Key rotations of one log: one a day for 27 years. */
    rotationsMax: 10_000,
  },
  shutdown: {
    /** For the statements that run when a shutdown begins; what containers are given before SIGKILL is 10 s. */
    statementsMs: 4_000,
    /** For the last leaves of the sessions that a shutdown ends. */
    drainMs: 4_000,
  },
} as const;
