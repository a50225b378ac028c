/** A PostgreSQL server of the run's own. */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { BenchContext } from '../context.ts'
import { freePort, run, start } from '../processes.ts'
import { findTool } from '../tools.ts'

/** It refuses to be root. */
const OWNER = 'postgres'

/** `folder`: there is nothing in it. */
export async function startPostgres(
  folder: string,
  say: BenchContext['say'],
): Promise<{ url: string; pids: readonly number[]; stop(): Promise<void> } | undefined> {
  const program = findTool('postgres', 'the rows queue-graphile-* are', say)
  if (program === undefined) return undefined
  const initdb = join(dirname(realpathSync(program)), 'initdb')
  const asOwner = process.getuid?.() === 0 ? ['setpriv', `--reuid=${OWNER}`, '--clear-groups', '--'] : []
  if (asOwner.length > 0) await run(['chown', OWNER, folder])
  await run([...asOwner, initdb, '-D', folder, '-U', OWNER, '-A', 'trust', '--no-sync', '-E', 'UTF8'])
  const port = await freePort()
  const { promise: isReady, resolve } = Promise.withResolvers<void>()
  const server = start(
    [
      ...[...asOwner, program, '-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', ''],
      ...['-c', 'max_connections=100', '-c', 'shared_buffers=256MB'],
    ],
    line => {
      if (line.includes('ready to accept connections')) resolve()
    },
  )
  await Promise.race([isReady, server.firstLine])
  // Each connection has a process of its own: what they take together is not read.
  return { url: `postgres://${OWNER}@127.0.0.1:${port}/postgres`, pids: [], stop: server.stop }
}
