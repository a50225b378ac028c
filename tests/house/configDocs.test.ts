/** docs/configuration.md against the code: its tables of keys, its list of workers, the problems it shows. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'
import { createBuiltInNames, LISTENER, TELEMETRY } from '../../src/config/names.ts'
import { listenerSchema } from '../../src/server/config.ts'
import { knownWorkers } from '../../src/threads/placement.ts'
import { configurationConfigSchema } from '../../workers/configuration/config.ts'
import { cronConfigSchema } from '../../workers/cron/config.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import { pubsubConfigSchema } from '../../workers/pubsub/config.ts'
import { queueConfigSchema } from '../../workers/queue/config.ts'
import { stateConfigSchema } from '../../workers/state/config.ts'
import { runIii, temporaryFolder } from '../cli/support.ts'
import { fencedBlocks, tableBelow } from './pageParts.ts'

const page = await Bun.file(join(import.meta.dir, '../../docs/configuration.md')).text()

interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  default?: unknown
  minimum?: number
  maximum?: number
  maxItems?: number
  not?: unknown
}

/** The value a key may have, in the words of the page. */
function valueText({ type, minimum, maximum, maxItems, not }: JsonSchema): string {
  if (not !== undefined) return 'refused'
  if (type === 'array') return maxItems === 0 ? 'empty list' : 'list of text'
  if (type === 'object') return 'text for each name'
  if (type === 'boolean') return 'true or false'
  if (type === 'string') return 'text'
  return maximum === Number.MAX_SAFE_INTEGER ? `${minimum} or more` : `${minimum} to ${maximum}`
}

/** `key → [value, default]`, nested keys joined by dots. */
function keysOf(schema: JsonSchema, prefix = ''): Record<string, [value: string, fallback: string]> {
  const rows: Record<string, [string, string]> = {}
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (member.properties !== undefined) Object.assign(rows, keysOf(member, `${prefix}${name}.`))
    else {
      const { default: fallback } = member
      const text = typeof fallback === 'string' ? fallback : JSON.stringify(fallback)
      rows[prefix + name] = [valueText(member), fallback === undefined ? '' : `\`${text}\``]
    }
  }
  return rows
}

describe('the keys on the configuration page', () => {
  test.each([
    ['### `iii-worker-manager`', listenerSchema],
    ['### `iii-http`', httpConfigSchema],
    ['### `configuration`', configurationConfigSchema],
    ['### `iii-cron`', cronConfigSchema],
    ['### `iii-pubsub`', pubsubConfigSchema],
    ['### `iii-queue`', queueConfigSchema],
    ['### `iii-state`', stateConfigSchema],
  ] as [string, z.ZodType][])(
    'below %s are those of its schema, with values and defaults',
    (heading, schema) => {
      const rows = tableBelow(page, heading).map(([key, value, fallback]) => [
        key!.replaceAll('`', ''),
        [value!, fallback!],
      ])
      const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
      // Every queue has the keys of the one that is always there.
      const keys = Object.entries(keysOf(json as JsonSchema)).map(([key, value]) => [
        key.replace('queue_configs.default.', 'queue_configs.<name>.'),
        value,
      ])
      expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(keys))
    },
  )
})

describe('the workers on the configuration page', () => {
  const rows = tableBelow(page, '## The workers').map(cells => cells.map(cell => cell.replaceAll('`', '')))

  test('are those that a file may name, under all their spellings', () => {
    const spellings = rows.flatMap(([name, alias]) => [name!, alias!]).filter(name => name !== '')
    expect(spellings.sort()).toEqual(createBuiltInNames(knownWorkers).spellings().sort())
  })

  test('are of a later version unless this one has them', () => {
    const here = rows.filter(([, , starts]) => starts !== 'later version').map(([name]) => name!)
    expect(here.sort()).toEqual([...knownWorkers.keys(), LISTENER, TELEMETRY].sort())
  })
})

test('the problems that the page shows are those of the file that it shows', async () => {
  const shown = fencedBlocks(page, 'text').at(-1)!
  const [file] = fencedBlocks(page, 'yaml').filter(text => text.includes('prot:'))
  using folder = temporaryFolder()
  await Bun.write(join(folder.path, 'config.yaml'), file!)
  const { exitCode, stderr } = await runIii([], { cwd: folder.path })
  expect(stderr.replaceAll(folder.path, '/project')).toBe(shown)
  expect(exitCode).toBe(1)
})
