/** The engine opens no connection by itself: nothing in it can dial out but the command line. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')
const dialling =
  /\bfetch\(|\bnew (?:WebSocket|XMLHttpRequest|EventSource)\b|\bBun\.(?:connect|udpSocket)\b|\bfrom 'node:(?:http|https|http2|tls|dgram|dns)'/

test('only the transport over a WebSocket and the command line dial, and only the command line makes such a transport', () => {
  const files = [...new Bun.Glob('{src,workers,sdk}/**/*.ts').scanSync(root)].sort()
  const read = (path: string): string => readFileSync(join(root, path), 'utf8')
  expect(files.filter(path => dialling.test(read(path)))).toEqual([
    'sdk/typescript/src/websocket.ts',
    // Looks why no engine was reached at the address that a command was given.
    'src/cli/trigger/diagnose.ts',
  ])
  const users = files.filter(path => /sdk\/typescript\/src\/(?:websocket|mod)\.ts'/.test(read(path)))
  expect(users.length).toBeGreaterThan(0)
  expect(users.filter(path => /^(?:src|workers)\//.test(path) && !path.startsWith('src/cli/'))).toEqual([])
})
