/** What a configuration file becomes: everything the engine is told at start, checked and complete. */
import type { z } from 'zod'
import type { ListenerSettings } from '../server/config.ts'

export type { ListenerSettings }

export interface WorkerSettings {
  /** The canonical name, however the file spells it: `iii-http`. */
  readonly name: string
  /** Id of this instance: the name, and `name#1`, `name#2`, … for further ones. */
  readonly instance: string
  /** What the worker's own schema made of its `config:` block. */
  readonly config: unknown
}

/**
 * Who accepts connections for shards: the kernel, which spreads them over a listener on each shard, or a thread of its
 * own, which hands them on.
 */
export type Acceptor = 'kernel' | 'thread'

export interface Settings {
  /** Milliseconds the engine waits for an announce. */
  readonly namespaceGraceMs: number
  /** At least one. */
  readonly listeners: readonly ListenerSettings[]
  /** Threads that sockets are spread over; 0: everything is on the main thread. */
  readonly shards: number
  readonly acceptor: Acceptor
  /** The built-in workers to start, in the order of the file. */
  readonly workers: readonly WorkerSettings[]
  /** Sentences for the log. */
  readonly warnings: readonly string[]
  /** Absolute path of the file; `undefined` when the embedded defaults are in force. */
  readonly file: string | undefined
  /** Listeners beyond loopback may go without authentication. */
  readonly insecure: boolean
  readonly data: DataSettings
}

/** Where what must survive is kept. Nothing is there before a worker keeps something. */
export interface DataSettings {
  /** Absolute. */
  readonly folder: string
  /** What relative folders in the settings of workers are relative to, absolute: where the configuration file is. */
  readonly base: string
}

/** What the reader of a configuration has to know of a built-in worker. */
export interface KnownWorker {
  readonly schema: z.ZodType
  /** It may be listed more than once. */
  readonly multiple: boolean
  /** Its settings may change while it runs, by the configuration worker. */
  readonly changeable?: ChangeableSettings
}

export interface ChangeableSettings {
  /** Of the entry of the configuration worker. */
  readonly description: string
  /** Paths of what is read at the start only. */
  readonly fixed: readonly (readonly string[])[]
}

export type KnownWorkers = ReadonlyMap<string, KnownWorker>

/** Why a configuration is refused. Never holds a value that came from the environment or belongs to a secret. */
export interface ConfigProblem {
  /** Where in the document: `workers[0].config.port`; empty for the document as a whole. */
  readonly path: string
  /** Counted from 1, in the file as written; `undefined` when the problem is not in the file. */
  readonly line: number | undefined
  readonly column: number | undefined
  readonly message: string
  /** What to write instead, as a sentence. */
  readonly suggestion: string | undefined
}

export type ConfigResult =
  | { readonly ok: true; readonly settings: Settings }
  /** At most `limits.configProblems` of them; `untold` is the number of the others. */
  | { readonly ok: false; readonly problems: readonly ConfigProblem[]; readonly untold: number }

/** Variables as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface ConfigContext {
  readonly env: Environment
  readonly knownWorkers: KnownWorkers
  readonly insecure: boolean
  readonly threads: ThreadContext
  readonly folders: FolderContext
}

/** What the working directory and the command line say about folders. */
export interface FolderContext {
  /** Absolute. */
  readonly cwd: string
  /** From the command line, relative to the working directory; it goes before the file. */
  readonly data: string | undefined
}

/** What the machine and the command line say about threads. */
export interface ThreadContext {
  /** Cores that may be used. */
  readonly cores: number
  /** `kernel` where the kernel spreads connections over listeners of one port. */
  readonly usualAcceptor: Acceptor
  /** From the command line; they win over the file. */
  readonly shards: number | undefined
  readonly acceptor: Acceptor | undefined
}
