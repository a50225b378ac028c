/** Files of entries that nobody writes by hand. */
import { expect, test } from 'bun:test'
import * as yaml from 'yaml'
import { readDocument } from '../../src/config/document.ts'
import { createDocuments } from '../../workers/configuration/document.ts'
import type { Entry } from '../../workers/configuration/entry.ts'

const documents = createDocuments(yaml, readDocument)

const KEYS = 20_000

/** Of the processor: far more than it takes, far less than it took when each key was compared with each. */
const AT_ONCE_MS = 6000

function entryOf(plus: number): Entry {
  const value = Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`k${key}`, key + plus]))
  const more = { schema: undefined, metadata: undefined, revision: 1, registrants: [], history: [] }
  return { id: 'many', name: 'Many', description: '', value, ...more }
}

test('a value of many keys is written and read at once, also over what is there', () => {
  const before = process.cpuUsage()
  const text = documents.write(entryOf(0), 'id: many\nname: Many\ndescription: ""\nvalue: {}\n# mine\n')
  expect(text).toContain('# mine')
  const again = documents.write(entryOf(1), text)
  expect(again).toContain('# mine')
  const result = documents.read('many', again)
  expect(result.ok && Object.keys(result.edit.value as object).length).toBe(KEYS)
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(AT_ONCE_MS)
}, 60_000)
