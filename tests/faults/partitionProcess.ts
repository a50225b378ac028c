/** The other end of `partitionHost.ts`: starts it, writes, hears what it says, and kills it. */
import { join } from 'node:path'
import { eachLine } from '../../scripts/lines.ts'
import { within } from '../support/waiting.ts'
import type { Dump, Reply, Request } from './partitionHost.ts'
import type { Told } from './reference.ts'

export interface HostOptions {
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** What becomes of a transaction; never told twice of the same one. */
  readonly done: (id: number, outcome: Extract<Reply, { said: 'done' | 'refused' }>) => void
  readonly told: (changes: readonly Told[]) => void
}

export interface PartitionProcess {
  /** Resolves when the folder is open. Rejects with what the process says against it. */
  readonly opened: Promise<void>
  /** Rejects when it ends and nobody wanted it to. */
  readonly died: Promise<never>
  write(id: number, transaction: Omit<Extract<Request, { ask: 'write' }>, 'ask' | 'id'>): void
  dump(since: number): Promise<Dump>
  /** Resolves when it is dead and everything it has said was heard. */
  kill(): Promise<void>
  close(): Promise<void>
}

const HOST = join(import.meta.dir, 'partitionHost.ts')

export function startPartition({ folder, env = {}, done, told }: HostOptions): PartitionProcess {
  const child = Bun.spawn([process.execPath, HOST, folder], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  const opened = Promise.withResolvers<void>()
  opened.promise.catch(() => {})
  const dumps: ((dump: Dump) => void)[] = []
  let isEnding = false
  let failure: unknown

  function hear(line: string): void {
    let reply: Reply
    try {
      reply = JSON.parse(line) as Reply
    } catch (error) {
      // It was killed in the middle of a line.
      if (isEnding) return
      throw error
    }
    switch (reply.said) {
      case 'open':
        opened.resolve()
        return
      case 'failed':
        opened.reject(new Error(`${reply.code}: ${reply.message}`))
        return
      case 'told':
        told(reply.changes)
        return
      case 'dump':
        dumps.shift()?.(reply)
        return
      case 'closed':
        return
      default:
        done(reply.id, reply)
    }
  }

  const heard = eachLine(child.stdout, line => {
    try {
      hear(line)
    } catch (error) {
      failure ??= error
    }
  })
  const errors = new Response(child.stderr).text()

  async function ended(): Promise<void> {
    await within('the partition ends', child.exited)
    await heard
    const text = await errors
    if (failure !== undefined) throw failure
    opened.reject(new Error(`it ended before its folder was open: ${text}`))
  }

  const died = child.exited.then(async code => {
    if (!isEnding) throw new Error(`it ended with ${code}: ${await errors}`)
    return await new Promise<never>(() => {})
  })
  died.catch(() => {})

  function say(request: Request): void {
    const text = JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    child.stdin.write(`${text}\n`)
    child.stdin.flush()
  }

  return {
    opened: opened.promise,
    died,
    write: (id, transaction) => say({ ask: 'write', id, ...transaction }),
    async dump(since) {
      const { promise, resolve } = Promise.withResolvers<Dump>()
      dumps.push(resolve)
      say({ ask: 'dump', since })
      return await Promise.race([within('a dump', promise), died])
    },
    async kill() {
      isEnding = true
      child.kill('SIGKILL')
      await ended()
    },
    async close() {
      isEnding = true
      say({ ask: 'close' })
      await ended()
      if (child.exitCode !== 0) throw new Error(`it ended with ${child.exitCode}: ${await errors}`)
    },
  }
}
