// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** The configuration worker in a real engine, on real files. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'

const folder = mkdtempSync(join(tmpdir(), 'iii-configuration-'))
const directory = join(folder, 'config')
const file = join(directory, 'shop.yaml')
let engine: EngineProcess

beforeAll(async () => {
  const adapter = `adapter: { name: fs, config: { directory: ${JSON.stringify(directory)} } }`
  engine = await startEngine({
    workers: `  - name: configuration\n    config: { ${adapter} }`,
    env: { SHOP_PW: 'hunter2' },
  })
})

afterAll(async () => {
  await engine.stop()
  rmSync(folder, { recursive: true })
})

async function value(): Promise<unknown> {
  const raw = await connectRaw(engine.url)
  const { result } = await raw.call('configuration::get', { id: 'shop' })
  raw.close()
  return (result as { value?: unknown } | undefined)?.value
}

describe('an engine', () => {
  test('writes nothing before something is registered', () => {
    expect(existsSync(directory)).toBe(false)
  })

  test('keeps every acknowledged change when it is killed', async () => {
    const raw = await connectRaw(engine.url)
    const entry = {
      id: 'shop',
      name: 'Shop',
      description: '',
      schema: { type: 'object' },
      initial_value: { n: 0 },
    }
    expect(await raw.call('configuration::register', entry)).toMatchObject({ result: { revision: 1 } })
    // Nobody waits for the last ones.
    let acknowledged = 0
    for (let n = 1; n <= 30; n++) {
      const answer = raw.call('configuration::set', { id: 'shop', value: { n } })
      if (n <= 20) {
        await answer
        acknowledged = n
      } else answer.catch(() => {})
    }
    await engine.restart('SIGKILL')
    const after = (await value()) as { n: number }
    expect(after.n).toBeGreaterThanOrEqual(acknowledged)
    expect(readFileSync(file, 'utf8')).toContain(`n: ${after.n}`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('sees an edit by hand, refuses a wrong one, and tells nobody a secret', async () => {
    writeFileSync(file, 'id: shop\nname: Shop\n# by hand\nvalue:\n  n: 100\n  url: pg://u:${SHOP_PW}@db\n')
    await until('the edit is in force', async () => ((await value()) as { n: number }).n === 100)
    expect(await value()).toEqual({ n: 100, url: 'pg://u:***@db' })
    writeFileSync(file, 'id: shop\nvalue: text\n')
    await until('the wrong edit is in the log', () =>
      engine.log().includes('cannot be used; the value before it stays'),
    )
    expect(await value()).toMatchObject({ n: 100 })
    expect(engine.log()).not.toContain('hunter2')
  })

  test('knows who registers, also when that is said afterwards', async () => {
    const raw = await connectRaw(engine.url, { name: false })
    const entry = {
      id: 'early',
      name: '',
      description: '',
      schema: { writeOnly: true },
      initial_value: 'pa55',
    }
    const registered = raw.call('configuration::register', entry)
    raw.send({
      type: 'invokefunction',
      function_id: 'engine::workers::register',
      data: { name: 'early-bird', version: '0.22.1', runtime: 'node' },
      action: { type: 'void' },
    })
    expect(await registered).toMatchObject({ result: { value: 'pa55' } })
    expect(await raw.call('configuration::get', { id: 'early' })).toMatchObject({ result: { value: 'pa55' } })
    await raw.close()
    const stranger = await connectRaw(engine.url)
    expect(await stranger.call('configuration::get', { id: 'early' })).toMatchObject({
      result: { value: '***' },
    })
    await stranger.close()
  })
})
