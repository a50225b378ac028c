import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withLock } from './lock.ts'

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'lock-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('work under one lock does not overlap', async () => {
  using temporary = folder()
  let inside = 0
  let most = 0
  const work = () =>
    withLock(join(temporary.path, 'a/lock'), async () => {
      most = Math.max(most, ++inside)
      await Bun.sleep(5)
      inside--
    })
  await Promise.all([work(), work(), work()])
  expect(most).toBe(1)
})

test('a lock is free again after work that failed', async () => {
  using temporary = folder()
  const path = join(temporary.path, 'lock')
  expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withLock(path, async () => 'done')).toBe('done')
})

test('a holder that was killed holds nothing', async () => {
  using temporary = folder()
  const path = join(temporary.path, 'lock')
  const program = `
    const { withLock } = await import(${JSON.stringify(join(import.meta.dir, 'lock.ts'))})
    await withLock(${JSON.stringify(path)}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)) })
  `
  const holder = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' })
  for await (const _ of holder.stdout) break
  const waiting = withLock(path, async () => 'mine')
  holder.kill('SIGKILL')
  expect(await waiting).toBe('mine')
})
