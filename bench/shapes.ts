/**
 * How calls can cross the engine: on which threads it runs, which framing is spoken, and where caller and worker are.
 * The names stand in the names of measures.
 */

export interface CallShape {
  readonly name: string
  readonly framing: 'json' | 'msgpack'
  /** Options of the engine. Contestants with the same ones and the same framing share an engine. */
  readonly engine: readonly string[]
  /** Threads the two are connected to; absent: the only one. */
  readonly workerThread?: number
  readonly callerThread?: number
  /** The contestant it is compared with. */
  readonly peer: string
  readonly what: string
}

/** Levels at which shapes with shards are measured, unless levels are asked for. */
export const SHARD_LEVELS: readonly number[] = [1, 256]

const SHARDS = ['--shards', '2', '--acceptor', 'kernel']
const ACCEPTOR = ['--shards', '2', '--acceptor', 'thread']

function shapesOf(framing: CallShape['framing']): CallShape[] {
  const base = framing === 'json' ? 'calls' : 'calls-msgpack'
  const call = framing === 'json' ? 'call' : 'call in msgpack'
  const acrossPeer = framing === 'json' ? `${base}-same-shard` : base
  const both = (callerThread: number) => ({ framing, workerThread: 1, callerThread })
  return [
    { name: base, framing, engine: ['--shards', '0'], peer: 'nats', what: call },
    {
      ...both(1),
      name: `${base}-same-shard`,
      engine: SHARDS,
      peer: base,
      what: `${call}, 2 shards, both on one`,
    },
    { ...both(2), name: `${base}-cross`, engine: SHARDS, peer: acrossPeer, what: `${call} across 2 shards` },
    {
      ...both(1),
      name: `${base}-acceptor-same-shard`,
      engine: ACCEPTOR,
      peer: `${base}-same-shard`,
      what: `${call}, acceptor thread and 2 shards, both on one`,
    },
    {
      ...both(2),
      name: `${base}-acceptor-cross`,
      engine: ACCEPTOR,
      peer: `${base}-cross`,
      what: `${call} across 2 shards behind an acceptor thread`,
    },
  ]
}

export const callShapes: readonly CallShape[] = [...shapesOf('json'), ...shapesOf('msgpack')]

export const hasShards = ({ workerThread }: CallShape): boolean => workerThread !== undefined
