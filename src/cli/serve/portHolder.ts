/** Who holds a TCP port. On Linux the kernel tells; elsewhere a command does. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

export interface PortHolder {
  readonly pid: number
  /** The program's name; never its arguments, which may hold secrets. */
  readonly name: string
}

/** A socket in this state listens (`/proc/net/tcp`). */
const LISTENING = '0A'

/** Inodes of the sockets that listen on `port`, from the text of `/proc/net/tcp` or `tcp6`. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return table
    .split('\n')
    .slice(1)
    .map(row => row.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTENING && local?.endsWith(`:${wanted}`))
    .flatMap(columns => columns[9] ?? [])
}

/** `undefined`: nobody, or a process of another user. `proc` is `/proc`. */
export function findPortHolder(port: number, proc: string): PortHolder | undefined {
  const tables = ['net/tcp', 'net/tcp6'].map(
    name => attempt(() => readFileSync(join(proc, name), 'utf8')) ?? '',
  )
  const inodes = tables.flatMap(table => listeningInodes(table, port))
  if (inodes.length === 0) return undefined
  const links = new Set(inodes.map(inode => `socket:[${inode}]`))
  const pids = (attempt(() => readdirSync(proc)) ?? []).filter(name => /^\d+$/.test(name))
  const holder = pids.find(pid => {
    const descriptors = join(proc, pid, 'fd')
    const open = attempt(() => readdirSync(descriptors)) ?? []
    return open.some(descriptor =>
      links.has(attempt(() => readlinkSync(join(descriptors, descriptor))) ?? ''),
    )
  })
  if (holder === undefined) return undefined
  const name = attempt(() => readFileSync(join(proc, holder, 'comm'), 'utf8').trim())
  return { pid: Number(holder), name: name ?? 'unknown' }
}

/** The command that names the holder, for those who may ask. */
export function holderCommand(port: number, platform: string): string {
  if (platform === 'linux') return `sudo ss -ltnp 'sport = :${port}'`
  if (platform === 'win32') return `netstat -ano | findstr :${port}`
  return `lsof -nP -iTCP:${port} -sTCP:LISTEN`
}

/** Processes come and go while we look, and those of others are closed to us. */
function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
