import { expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPortHolder, holderCommand, listeningInodes } from '../../src/cli/serve/portHolder.ts'
import { temporaryFolder } from './support.ts'

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:BFEE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:C000 0100007F:BFEE 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:BFEE 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 20 4 30 10 -1
   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0000000000000000 100 0 0 10 0
`

test('only sockets that listen on the port count, not connections to it', () => {
  expect(listeningInodes(TABLE, 49_134)).toEqual(['4711'])
  expect(listeningInodes(TABLE, 80)).toEqual(['4714'])
  expect(listeningInodes(TABLE, 49_152)).toEqual([])
  expect(listeningInodes('', 80)).toEqual([])
})

test('the holder is the process that has the socket open', () => {
  using folder = temporaryFolder()
  const proc = folder.path
  mkdirSync(join(proc, 'net'))
  writeFileSync(join(proc, 'net/tcp'), TABLE)
  for (const [pid, target] of [
    ['1', 'socket:[9]'],
    ['77', 'socket:[4711]'],
    ['self', 'socket:[4711]'],
  ] as const) {
    mkdirSync(join(proc, pid, 'fd'), { recursive: true })
    symlinkSync(target, join(proc, pid, 'fd', '3'))
    writeFileSync(join(proc, pid, 'comm'), `program ${pid}\n`)
  }
  mkdirSync(join(proc, '78'))
  expect(findPortHolder(49_134, proc)).toEqual({ pid: 77, name: 'program 77' })
  expect(findPortHolder(80, proc)).toBeUndefined()
  expect(findPortHolder(81, proc)).toBeUndefined()
})

test.if(process.platform === 'linux')('this process is found by its own listener', () => {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  try {
    expect(findPortHolder(server.port, '/proc')?.pid).toBe(process.pid)
  } finally {
    server.stop(true)
  }
})

test('each platform has its command', () => {
  for (const platform of ['linux', 'darwin', 'win32'])
    expect(holderCommand(49_134, platform)).toContain(':49134')
})
