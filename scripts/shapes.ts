/**
 * What `npm test` runs, and on engines of which threads. Everything once on one thread; what starts engines, or drives
 * one without sockets, again on two shards, and the core of that on one and on four, by the variables that
 * `tests/support/shape.ts` reads.
 */

export interface Shape {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  /** Test files and folders below `tests/`; all of them if absent. */
  readonly paths?: readonly string[]
}

/** An engine in the process of the test, moved by hand: seconds. */
const inProcess = ['engine', 'simulation', 'workers']

/** Engines that are processes of their own, and everything that connects to them. */
const processes = [
  'cli',
  'compat',
  'configuration/engine.test.ts',
  'examples',
  'faults/engineKilled.test.ts',
  'faults/queueKilled.test.ts',
  'faults/schedulesKilled.test.ts',
  'house/docs.test.ts',
  'house/docsWorkers.test.ts',
  'house/start.test.ts',
  'stream',
]

/** Clients of all languages, with what depends on how many shards there are, and not only on that there are several. */
const clients = [
  'acrossLanguages',
  'crate',
  'npm',
  'pubsub',
  'pypi',
  'queue',
  'reconnectRace',
  'state',
  'stream',
].map(name => `compat/${name}.test.ts`)

function onShards(shards: number, acceptor: 'kernel' | 'thread', paths: readonly string[]): Shape {
  const where = `${shards} ${shards === 1 ? 'shard' : 'shards'}`
  return {
    name: acceptor === 'kernel' ? where : `${where} behind an acceptor thread`,
    env: { III_TEST_SHARDS: String(shards), III_TEST_ACCEPTOR: acceptor },
    paths,
  }
}

export const shapes: readonly Shape[] = [
  { name: 'one thread', env: { III_TEST_SHARDS: '0', III_TEST_ACCEPTOR: 'kernel' } },
  onShards(2, 'kernel', [...inProcess, ...processes]),
  ...[1, 4].map(shards =>
    onShards(shards, 'kernel', ['engine', 'cli', 'faults/engineKilled.test.ts', ...clients]),
  ),
  // An engine in the process of the test has no sockets, and no acceptor.
  onShards(2, 'thread', [...processes, 'threads']),
  ...[1, 4].map(shards => onShards(shards, 'thread', clients)),
]
