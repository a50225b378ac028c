/**
 * Every named limit and its reason. Sizes in bytes, times in milliseconds.
 *
 * Frozen defaults: what configuration may change is copied into the setting it belongs to; the rest holds for
 * every engine.
 */
const MiB = 1024 * 1024

export const limits = {
  /** Largest message in either direction, fragments joined (`docs/protocol/json.md#sizes`). */
  messageBytes: 64 * MiB,
  /**
   * Deepest nesting of a message, the envelope counted: strict clients decode no deeper
   * (`docs/protocol/json.md#how-messages-are-read`).
   */
  jsonDepth: 127,
  /**
   * A connection with this much unsent output slows the connections that feed it. So does the way to another thread
   * with this much that its ring has no room for, and there who answers counts as feeding it, too.
   */
  outboundHighWaterBytes: 4 * MiB,
  /** One that had reached that mark counts as drained below this: half, so that it does not flutter around the mark. */
  drainedBytes: 2 * MiB,
  /** New calls to a connection with this much unsent output are refused: what is left is for answers and one message. */
  overloadedBytes: 64 * MiB,
  /** A connection with this much unsent output is cut. Room for two largest messages. */
  outboundBytes: 128 * MiB,
  /**
   * A producer is held back for at most this long at a time, so that two slow peers cannot hold each other for ever. Only
   * for a thread that does not read its ring it is held as long as that takes; one that never does is replaced.
   */
  stallMs: 1000,
  /**
   * Calls to a built-in, or of one shard's workers to those of the main thread; with so many unanswered, who makes more is
   * held back, for `stallMs` at most: the answers wait in memory until they are taken, and take the time of everybody.
   */
  callsToBuiltIns: 1024,
  /** A connection whose output makes no progress for this long is cut (`docs/guarantees.md#neighbours`). */
  writeDeadlineMs: 10_000,
  /** Time a worker whose name another one announces has to give a sign of life; it counts as lost without. */
  signOfLifeMs: 10_000,
  /** Silence after which a socket is closed. It is pinged up to 16 s before, so that only a dead peer stays silent. */
  idleTimeoutMs: 120_000,
  /** Worker connections from one address at once, for each thread that accepts and each of its listeners. */
  connectionsPerAddress: 16_384,
  /**
   * Time for complete request headers of an upgrade (`docs/protocol/json.md#the-upgrade`); Bun's own, it looks
   * every 4 s.
   */
  handshakeTimeoutMs: 10_000,
  /** Time the engine waits for an announce before a connection's namespace is fixed to `default`. */
  namespaceGraceMs: 5000,
  /** The grace is cut short when a connection has registered something and then stayed silent for this long. */
  quietGraceMs: 1000,
  /** Frames and bytes held for one connection until its namespace is fixed. */
  heldFrames: 200_000,
  heldBytes: 128 * MiB,
  /** Time in which a lost worker that comes back with its token gets its names and ids back from a stranger. */
  reclaimMs: 10_000,
  /** Lost workers remembered for that; the oldest are forgotten first. */
  lostWorkersKept: 10_000,
  /** Functions, trigger types and triggers of one connection, all together. */
  registrationsPerConnection: 100_000,
  /** Texts of these registrations together: ids, descriptions, schemas, configs, metadata. As much as may be held. */
  registrationBytes: 128 * MiB,
  /** Characters of a function id, trigger id, trigger type, namespace or worker name. */
  nameLength: 1024,
  /** Function ids that a missing one is compared with, to name the one that was probably meant. */
  comparedFunctions: 1000,
  /** A trigger's function is looked for one to two of these after it was bound: registrations come in any order. */
  targetLookMs: 1000,
  /** Calls one connection may have in flight as a caller. */
  callsInFlight: 65_536,
  /** Calls looked through for the one a caller cancels, newest first; an older one waits for its deadline. */
  cancelSearch: 8192,
  /** Calls a client of ours keeps while it has no connection; the oldest fail first. */
  unsentCalls: 10_000,
  /** Time for an answer where nobody says another: calls of built-ins, of our client, of the command line. */
  callTimeoutMs: 30_000,
  /** A call whose caller named no time-out is dropped after this long, so that the table stays bounded. */
  callAgeMs: 24 * 3_600_000,
  /** Time an ownerless binding waits for its provider's answer (`docs/protocol/json.md#the-answer-of-a-provider`). */
  providerAnswerMs: 10_000,
  /** Characters of a worker's announced name and description (`docs/protocol/json.md#the-announce`). */
  announcedTextLength: 280,
  /** Refused registrations kept per worker for `engine::workers::info`. */
  refusalsKept: 50,
  /** Largest result a Python client before 0.24.5 accepts (`docs/protocol/json.md#generations-of-clients`). */
  smallClientMessageBytes: MiB,
  /**
   * Registry changes are announced together, at the latest after this long
   * (`docs/discovery.md#when-something-changes`).
   */
  changeCoalesceMs: 50,
  /** Targets of a fan-out that go to one thread in one frame, by the size of their names and metadata. */
  fanOutBytes: MiB,
  /** Calls of triggers on registry change in one turn, some 3 ms of work; then others have their turn for a moment. */
  changeCallsPerTurn: 512,
  changePauseMs: 5,
  /** Changes of workers that wait to be told; further ones are not told. */
  changesWaiting: 10_000,
  /**
   * Events in a chain, each made by the handler of the one before (`docs/delivery.md#loops`): more than any chain that is
   * meant, and soon reached by one that never ends.
   */
  deliveryDepth: 64,
  /** Events that wait for one trigger whose calls are answered, those in its handler counted; further ones are dropped. */
  deliveryQueueMessages: 10_000,
  deliveryQueueBytes: 16 * MiB,
  /** Failures of a message that are told of, the latest; all are counted. */
  queueReportsKept: 16,
  /** Messages of a lane of a queue that are read at once, and kept in memory to be handed out. */
  queueWindow: 256,
  /** Messages of a lane that are passed over, and kept in memory, because as many of their keys are under way as may be. */
  queueSetAside: 1024,
  /** Characters of either: then there are fewer, but one at least. */
  queueWindowLength: 4 * MiB,
  /** Queues, and lanes of one, whose names are kept though they have no messages; the same of lanes in memory. Some kilobytes each. */
  queueNamesKept: 1000,
  /** Queues of which it is remembered what has happened in the last minute. */
  queueRatesKept: 1000,
  /** Time of a lease where nobody says another: long for a handler, and a hung one does not keep its place for ever. */
  queueLeaseMs: 300_000,
  /** Longest time between two attempts, where nobody says another. */
  queueBackoffMs: 3_600_000,
  /** A lane whose worker would not take a message is tried again after this, if nothing is heard of the worker before. */
  queueRetryMs: 100,
  /** The same where nobody answers the function: it may come unheard of. */
  queueMissingMs: 5000,
  /** Characters of an error, its stack included, that are kept with a message. */
  queueReportLength: 4096,
  /** While a message is due later, or a lease is given, the clock on the wall is looked at this often: it may be set. */
  queueLookMs: 1000,
  /** A subscription of a topic lasts so long after its last trigger has gone, and messages are kept for it. */
  queueSubscriptionMs: 24 * 3_600_000,
  /** How often queues of subscriptions that last no longer are looked for. */
  queueSweepMs: 3_600_000,
  /** Within this a second message with the same key is the first one, where nobody says another. */
  queueDedupeMs: 300_000,
  /** A time that is so many times smaller than the clock is no time in milliseconds: seconds are a thousand times smaller. */
  queueSecondsRatio: 100,
  /** Calls of `queue::pop` that wait at once, and how long one may. */
  queueWaiters: 10_000,
  queueWaitMs: 60_000,
  /** The result of a message, if it was asked for: its bytes, for how long it is kept where nobody says another, and at the longest. */
  queueResultBytes: MiB,
  queueResultMs: 3_600_000,
  /** All results together, each with what it takes beside its value: the oldest go, before their time. */
  queueResultsBytes: 256 * MiB,
  queueResultExtraBytes: 256,
  queueResultMostMs: 30 * 24 * 3_600_000,
  /** How far a handler is, as it says itself: its bytes, and of how many messages that is kept in memory. */
  queueProgressBytes: 4096,
  queueProgressKept: 10_000,
  /** Messages in one call of a batch form, of a redrive, of a page of a list. */
  queueBatch: 1000,
  /** Messages that one call publishes, a copy for each subscription counted: about a second in which nobody else is served. */
  queueCopies: 100_000,
  queuePage: 1000,
  /** Dead messages that one redrive with a filter tries again. */
  queueRedriven: 100_000,
  /** Lanes of a queue that are looked at for its statistics: some 20 ms. */
  queueLanesLooked: 256,
  /** Lanes that hand out nothing, as the statistics of a queue name them. */
  queueParkedLanes: 100,
  /** Characters of the data of several messages that go together, in a batch or an answer: as many as one may have. */
  queuePortionLength: 16 * MiB,
  /** Of the rate of a queue, calls in a second. */
  queueRate: 1_000_000,
  /** Dead messages that a page of a list by offset may leave out: they are counted all the same, some 30 ms. */
  queueOffset: 100_000,
  /** Messages that are looked at for one page of a list, or one step of a purge: some 2 ms. */
  messagesLooked: 512,
  /** Messages that are dropped because of one that comes to a full queue which is lossy, or dies. */
  messagesDropped: 16,
  /** Events of one such trigger that its handler has at once. */
  deliveriesInFlight: 1024,
  /** Kinds of log lines about deliveries that are counted one by one (kind and function); further ones together. */
  deliveryNotices: 200,
  /** Characters of a cron expression: more than every second of a minute, one by one, in each of its fields. */
  cronExpressionLength: 1000,
  /** Schedules of one engine. Each takes some kilobytes, on disk, too. */
  cronSchedules: 100_000,
  /** An instant that is older when it is looked at was missed (`docs/cron.md#missed-instants`): longer than any pause of an engine that runs. */
  cronLateMs: 10_000,
  /** An instant that was dealt with and lies further ahead than this was made by a clock that was wrong. */
  cronAheadMs: 86_400_000,
  /** Missed instants of one schedule that can be made up for. */
  cronMissed: 1000,
  /** The clock on the wall is looked at this often, so that it is noticed when it is set. */
  cronLookMs: 1000,
  /** For the function of a schedule, if nothing else is said: a job may take long, one that hangs must not stop the next for ever. */
  cronTimeoutMs: 3_600_000,
  /** Runs and left out ticks of a schedule that are remembered. */
  cronHistory: 20,
  /** A schedule that nobody has any more is forgotten after this: a year and a month. */
  cronMemoryMs: 400 * 86_400_000,
  /** A schedule that nobody has is listed until so long after the first instant that it has missed: long enough for somebody to be back and ask. */
  cronAbsentMs: 30 * 86_400_000,
  /** Schedules that nobody has and that are listed at once: as many as a list has rows. */
  cronAbsent: 1000,
  /** Retries of one tick, the longest pause between them, and how long ends of runs wait for each other, to be written together. */
  cronRetries: 100,
  cronRetryMs: 300_000,
  cronEndsMs: 20,
  /** Schedules that are begun before anything else has a turn, and that are written together: some milliseconds. */
  cronPortion: 128,
  /** Of so many that are written at once, rows are written in place of all that is known of each. */
  cronFewestRows: 8,
  /** Characters of all rows: several ticks of each of 10,000 schedules, which a start reads in some tenths of a second. */
  cronRowCharacters: 8 * MiB,
  /** Characters of an expression, its parts, and how deep they may lie in each other. */
  conditionLength: 4096,
  conditionParts: 500,
  conditionDepth: 50,
  /** Characters of a topic, and of a pattern. */
  topicLength: 1024,
  /** Parts of a pattern with wildcards: each takes some hundred bytes, and every message looks at them. */
  patternParts: 32,
  /** Subscriptions to topics, all together. */
  subscriptions: 200_000,
  /** Most rows of one page of `iii-pubsub::subscriptions`, `iii-state::triggers`, …. */
  subscriptionRows: 1000,
  /** Items of one `engine::functions::info` batch. */
  infoBatch: 32,
  /**
   * Deepest nesting of a value that is kept: twelve levels are left for the messages that carry it, in lists, batches and
   * events.
   */
  valueDepth: 115,
  /** Largest value that is kept: a message holds it before and after a change, and whatever is said of them. */
  valueBytes: 31 * MiB,
  /** Of an update operation: keys of a path, bytes of one of them (`docs/state.md#update-operations`). */
  updatePathDepth: 32,
  updateSegmentBytes: 256,
  /** Of the value of a merge: members, and its nesting. */
  mergeKeys: 1024,
  mergeDepth: 16,
  /** Characters of a scope or key. Longer ones would make every look for them slow. */
  storedNameLength: 16_384,
  /** Operations of one batch or transaction: some milliseconds during which nobody else is served. */
  batchOperations: 1000,
  /** Values before and after all writes of one batch or transaction: its answer carries them. */
  transactionCharacters: 60 * MiB,
  /** The same of a commit of a partition: with more, what has come is done in several. Some 100 ms of work. */
  turnCharacters: 16 * MiB,
  /** Rows of a list that are looked at before it is seen whether they are enough: a few, for each may be as large as a value. */
  listPortion: 32,
  /** Characters of the keys and values of one list: less than what a message holds, also when each takes three bytes. */
  pageCharacters: 16 * MiB,
  /** Changes in one answer of `state::watch`, and the longest it waits for one. */
  watchEvents: 1000,
  watchMs: 25_000,
  /** Calls of `state::watch` that wait at once. */
  watchers: 10_000,
  /** Largest configuration file. */
  configFileBytes: MiB,
  /** Deepest nesting of a configuration; ours has five levels, and deep ones take the YAML library minutes. */
  configNesting: 64,
  /** Entries of one configuration. */
  configWorkers: 1000,
  /** Problems of one configuration that are told; the rest is counted. */
  configProblems: 20,
  /** Entries of the configuration worker; its files are all read at start. */
  configurationEntries: 10_000,
  /** Deleted entries whose revisions are remembered, so that they do not come again. */
  configurationTombstones: 10_000,
  /** A value of an entry as JSON, and what placeholders may make of it. */
  configurationValueBytes: MiB,
  /** The schema of an entry as JSON. */
  configurationSchemaBytes: MiB / 2,
  /** Name and description of an entry (characters), and its metadata as JSON. */
  configurationTextBytes: 64 * 1024,
  /** Deepest nesting of a value: half of what the reader of YAML allows, which counts dashes, too. */
  configurationDepth: 32,
  /** Deepest nesting of a schema: three levels for one of the value. */
  configurationSchemaDepth: 96,
  /** The file of an entry: the largest value as YAML. */
  configurationFileBytes: 4 * MiB,
  /** Earlier values kept of an entry, all together. */
  configurationHistoryBytes: 4 * MiB,
  /** The record of an entry: schema and history. */
  configurationRecordBytes: 16 * MiB,
  /** An edited file is read when its folder has been quiet for this long: editors write in steps. */
  configurationSettleMs: 500,
  /** Longest wait of a built-in worker for its settings, and how long it waits before it asks again. */
  settingsTimeoutMs: 10_000,
  settingsRetryMs: 5000,
  /** All entries in memory together, as JSON with their history; further changes are refused. */
  configurationCharacters: 256 * MiB,
  /** Names that the command line looks through for the one that was meant. */
  suggestionNames: 5000,
  /** Log text that waits for a reader of stderr that does not read; further lines are left out. */
  unreadLogBytes: 8 * MiB,
  /** Time in which running work may finish after the first stop signal. */
  drainMs: 10_000,
  /** What draining may take beyond that before it counts as hanging. */
  drainMarginMs: 500,
  /** Time for closing sockets and files once work has ended. */
  stopMs: 2000,
  /** Time a command waits for an engine to accept it: one on this machine needs a millisecond, a remote one some hundred. */
  commandConnectMs: 3000,
  /** Time a command waits for what the engine says about a function, or about itself. */
  commandInfoMs: 5000,
  /** The same for a portion of a redrive, which may look at many dead messages. */
  commandRedriveMs: 60_000,
  /** How often `iii status --watch` looks again. */
  statusWatchMs: 2000,
  /** Largest HTTP request body. */
  httpBodyBytes: 16 * MiB,
  /**
   * HTTP request bodies in memory at once, until they have been handed to their functions. This and what bounds all
   * requests of the HTTP worker together holds for each of its instances: one on each thread that accepts.
   */
  httpBodiesBytes: 512 * MiB,
  /**
   * Larger HTTP answers (characters) leave in pieces, so that it is known how much of them waits for its client. Smaller
   * ones fit into what the kernel keeps for a connection; a connection serves no further request before its answer is out.
   */
  httpWholeAnswer: 256 * 1024,
  /** One piece of such an answer. */
  httpPieceBytes: 64 * 1024,
  /** Such answers of one instance in memory together, as far as their clients have not read them; further ones are refused with 503. */
  httpUnreadBytes: 512 * MiB,
  /** An HTTP answer of which no piece leaves for this long is cut: 64 KiB in 30 s is slower than any line. */
  httpWriteDeadlineMs: 30_000,
  /** Kinds of log lines about HTTP routes that are counted one by one (kind and route); further ones are counted together. */
  httpNotices: 200,
  /** Number of HTTP request headers and their size together. */
  httpHeaderCount: 100,
  httpHeaderBytes: 16 * 1024,
  /** Characters of an HTTP request target. */
  httpUrlLength: 8192,
  /** HTTP requests in work at once in one instance; further ones wait (`docs/configuration.md#iii-http`). */
  httpConcurrency: 1024,
  /** HTTP requests that wait for a place there; further ones are refused with 503. */
  httpWaiting: 4096,
  /** Largest message of a client of streams: names and ids, no values. */
  streamMessageBytes: 64 * 1024,
  /** Client connections of one instance of the stream gateway, one on each thread that accepts. */
  streamConnections: 100_000,
  /** Upgrades of such connections that wait for the auth function; further ones are refused with 503. */
  streamUpgrades: 1024,
  /** Subscriptions of one client. */
  streamSubscriptions: 1000,
  /** Subscriptions of all clients of one instance of the gateway; further ones are refused. */
  streamGatewaySubscriptions: 1_000_000,
  /** Messages of one client in a second, in the long run, and at once; then it is read no further for a moment. */
  streamMessagesPerSecond: 1000,
  streamMessageBurst: 5000,
  /** How long it is not read then. */
  streamPauseMs: 100,
  /** A client with this much unsent output is slow (`docs/streams.md#slow-clients`). */
  streamUnsentBytes: MiB,
  /** Bytes published between two looks at how much their clients have not taken. */
  streamLookBytes: 64 * 1024,
  /** A slow client that takes nothing for this long is cut. */
  streamStuckMs: 30_000,
  /** How often slow clients are looked at, in case nobody says that they have caught up. */
  streamSlowLookMs: 500,
  /** Silence after which a client of streams is closed; it is pinged before. */
  streamIdleMs: 60_000,
  /** Time of the auth function of streams, and of handlers that are asked about a subscription. */
  streamAuthMs: 10_000,
  /** Kinds of log lines about stream triggers and clients that are counted one by one. */
  streamNotices: 200,
  /** Events that are kept for one subscription until what was before is read; with more it is read anew. */
  streamKeptEvents: 10_000,
  /** How often it is read anew, when there are always more. */
  streamOpenings: 5,
  /** Pause before what did not arrive at a gateway is told anew. */
  streamLostMs: 500,
  /** A subscription that was let in and has heard nothing for so long asks anew: longer than those openings take. */
  streamJoiningMs: 180_000,
  /** Events that are replayed to a client that has been away; with more it gets everything anew. */
  streamReplayEvents: 10_000,
  /** Snapshots of groups kept in memory for those who join next, and their characters together. */
  streamSnapshots: 100,
  streamSnapshotCharacters: 16 * MiB,
  /** Items of a group that are deleted in one transaction. */
  streamDeletePortion: 1000,
  /** Pause before a gateway asks again for the store half of the stream worker. */
  streamAttachMs: 100,
  /** How often a gateway says anew that it is there: well before its call has come to its end (`callAgeMs`). */
  streamAttachAgainMs: 12 * 3_600_000,
  /** Memory of a ring from or to the main thread or the acceptor: room for some turns of traffic, and for snapshots. */
  ringBytes: 4 * MiB,
  /** The same between two shards, of which there are as many as the square of them: four records of calls at their largest. */
  ringBetweenShardsBytes: MiB,
  /** Largest record of a ring: what a link may have waiting (`outboundBytes`) leaves in one. */
  ringRecordBytes: 128 * MiB,
  /** Notes of threads to each other are cut at about this: a small part of what a ring takes, some milliseconds of work. */
  noteBytes: MiB,
  /** Looks at a ring before its reader goes to sleep, 40 ns apart: waking up takes 3 to 15 µs and costs the writer one. */
  ringSpins: 40,
  /** Batches a ring may deliver before the sockets of its thread get a turn. */
  ringBatchesInARow: 8,
  /** How often a sleeping side of a ring looks by itself, in case the platform lost a wake-up. */
  ringCheckMs: 1000,
  /** The second look, which makes sure that a bell that seems lost was not just slow. */
  ringSecondLookMs: 20,
  /** Log lines of a shard that the main thread has not taken yet; further ones are left out and counted. */
  shardLogLines: 5000,
  /** How often a shard says that it lives, and the main thread looks. */
  heartbeatMs: 500,
  /** A shard that has been silent for this long is replaced: it serves nobody. */
  silentShardMs: 10_000,
  /** The same for the durable thread: it stands still while a commit waits for the disk, and a bad disk takes its time. */
  silentDurableMs: 60_000,
  /** The same for a shard that starts: it loads its code first. */
  shardStartMs: 60_000,
  /** Shards that may be lost within `shardLossWindowMs`; with one more the engine ends: something is wrong with it. */
  shardLosses: 5,
  shardLossWindowMs: 60_000,
  /** Pause before a lost shard is replaced; doubled with every further loss in the window. */
  shardPauseMs: 50,
  /** Backups that may lie in the data folder of an engine: whoever asks for one without end does not fill its disk. */
  backups: 16,
  /** Time the command waits for a backup of an engine. */
  backupMs: 600_000,
  /** Time after which a worker that runs as a process of its own says that no engine answers yet. */
  engineNoteMs: 1000,
  /** Time a shard has to end when it is told to, before its thread is ended; within `stopMs`. */
  shardStopMs: 1000,
  /** Time a thread has to say how it is; one that is busy for longer is shown as silent. */
  threadAnswerMs: 1000,
  /** Shortest span over which the CPU time of a thread is told as a share: it is counted in steps of 10 ms. */
  cpuSpanMs: 500,
  /** What a deadline of a call from another thread is later than there, where it ends the call. */
  deadlineMarginMs: 1000,
  /** Most shards of an engine, and most that it starts without being asked. */
  shards: 64,
  usualShards: 8,
  /** Frames joined in one msgpack message: about 50 ms of routing, during which nobody else is served. */
  framesPerMessage: 65_536,
  /** Time a worker that speaks msgpack may take for its hello. */
  helloMs: 5000,
  /** A worker that takes only smaller messages is refused: names and ids alone may need as much. */
  leastMessageBytes: 128 * 1024,
  /** Changes of a partition that are kept for those who resume: their number, bytes and age. */
  feedChanges: 1_000_000,
  feedBytes: 64 * MiB,
  feedAgeMs: 24 * 3_600_000,
  /** Of these, what is kept in memory: resuming from there reads nothing. */
  recentChanges: 20_000,
  recentBytes: 16 * MiB,
  /** Changes of a partition looked through before others have their turn: some milliseconds. */
  feedPortion: 2000,
  /** Bytes of a file of a partition's log: so much is done again after a kill, in some 50 ms. The first ones are smaller, and grow. */
  logSegmentBytes: 8 * MiB,
  logFirstSegmentBytes: 64 * 1024,
  /** Changes of which the tables are in memory only, each in some pages. */
  logWindowChanges: 10_000,
  /** Of the log that are kept for those who resume, whatever is in it: bytes, and files. */
  logBytes: 256 * MiB,
  logSegments: 256,
  /** Bytes of the log that are read for nothing at most to find a change. */
  logPlaceBytes: 64 * 1024,
  /** Collections whose numbers a partition remembers. */
  collectionsRemembered: 10_000,
  /** Memory for entries of a database that were read or written lately. */
  entryCacheBytes: 32 * MiB,
  /** Memory for pages of a database. */
  pageCacheBytes: 64 * MiB,
  /** Bytes of a page: a write costs at least one, in the log and later in its place. */
  pageBytes: 1024,
  /** Written to the log of a database before its pages are moved to their places. */
  walBytes: 16 * MiB,
  /** Revisions left out when some that were told may have been lost with the power. */
  revisionGap: 1_000_000,
  /** Revisions that begin anew begin at the clock times this: no partition writes as fast, and 2⁵³ is far away. */
  revisionsPerMs: 1000,
  /** Entries and messages that are all looked at when a data folder is opened: some 0.5 s. With more it is done in the background. */
  entriesCheckedAtStart: 40_000,
  /** Messages that have no row in the database yet, which only the log has; and characters of their data. */
  freshMessages: 2048,
  freshCharacters: 4 * MiB,
  /** Entries or messages looked at in one step of that, and the pause between steps. */
  scrubPortion: 200,
  scrubPauseMs: 20,
  /** Entries that expire in one transaction. */
  expiriesPerTurn: 1000,
  /** Longest wait before it is looked for expired entries again: the clock of the machine may be set. */
  expiryLookMs: 60_000,
  /** If the clock on the wall and the other one come so far apart between two looks, it was set: both tell whole milliseconds at best. */
  clockSetMs: 2,
  /** How long something that is told before it is on disk may wait for a sync of others. */
  syncSoonMs: 10,
  /** How often a partition that could not write tries whether it can again. */
  storageRetryMs: 1000,
  /** Memory an out-buffer keeps after a large burst. */
  outBufferKeptBytes: MiB,
} as const

export type Limits = { readonly [name in keyof typeof limits]: number }
