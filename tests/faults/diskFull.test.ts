/** The disk of a whole engine's data folder is full, and then has room again. Needs a small file system of its own. */
import { afterAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw, type Outcome } from '../support/rawClient.ts'
import { mountSmallDisk } from '../support/smallDisk.ts'
import { until } from '../support/waiting.ts'

const PATIENT_MS = 120_000
const VALUE_BYTES = 30_000

const disk = mountSmallDisk()
if (disk === undefined)
  console.log('tests of a full disk are skipped: only root can mount a small file system')
afterAll(() => disk?.[Symbol.dispose]())

const codeOf = ({ error }: Outcome): string | undefined => error?.code

describe.skipIf(disk === undefined)('an engine whose disk is full', () => {
  test(
    'acknowledges nothing that it cannot keep, goes on reading, and writes again when there is room',
    async () => {
      const { folder, makeRoom } = disk!
      const data = join(folder, 'data')
      const workers = `  - name: iii-state\n    config: { adapter: { name: kv, config: { file_path: ${data} } } }`
      await using engine = await startEngine({ workers })
      const acknowledged = new Map<string, number>()
      const refused = new Map<string, number>()
      let made = 0

      const connect = () => connectRaw(engine.url, { name: 'writer' })
      let client = await connect()

      /** Two keys together; what they hold is one number, or nothing has changed. */
      async function write(): Promise<boolean> {
        const [key, number] = [`key ${made % 40}`, made++]
        const value = { number, text: 'x'.repeat(VALUE_BYTES) }
        const operations = ['one', 'two'].map(scope => ({ op: 'state::set', scope, key, value }))
        const outcome = await client.call('state::transact', { operations })
        if (outcome.error === undefined) acknowledged.set(key, number)
        else {
          expect(codeOf(outcome)).toBe('STORAGE_UNAVAILABLE')
          refused.set(key, number)
        }
        return outcome.error === undefined
      }

      async function numberOf(scope: string, key: string): Promise<number | undefined> {
        const { result, error } = await client.call('state::get', { scope, key })
        expect(error).toBeUndefined()
        return (result as { number: number } | null | undefined)?.number
      }

      async function check(): Promise<void> {
        for (let at = 0; at < 40; at++) {
          const key = `key ${at}`
          const found = [await numberOf('one', key), await numberOf('two', key)]
          expect([key, ...found]).toEqual([key, acknowledged.get(key), acknowledged.get(key)])
        }
      }

      await until('the disk is full', async () => {
        for (let count = 0; count < 20; count++) if (!(await write())) return true
        return false
      })
      const before = acknowledged.size
      expect(before).toBeGreaterThan(5)
      await check()
      await Promise.all(Array.from({ length: 20 }, write))
      expect(refused.size).toBeGreaterThan(0)
      await check()
      expect(engine.log()).toContain('is full')

      makeRoom()
      await until('writes are acknowledged again', write)
      for (let count = 0; count < 10; count++) expect(await write()).toBe(true)
      await check()

      await client.close()
      await engine.restart('SIGKILL')
      client = await connect()
      await check()
      await client.close()
    },
    PATIENT_MS,
  )
})
