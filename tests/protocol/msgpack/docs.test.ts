/** What `docs/protocol/msgpack.md` says in words is what the code does. */
import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { limits } from '../../../src/protocol/limits.ts'
import { NO_EXTRAS } from '../../../src/protocol/msgpack/extras.ts'
import { closeCodes } from '../../../src/protocol/msgpack/faults.ts'
import { capabilities } from '../../../src/protocol/msgpack/hello.ts'
import { layouts, SUBPROTOCOL, wireName } from '../../../src/protocol/msgpack/layout.ts'
import { PAYLOAD_DEPTH } from '../../../src/protocol/msgpack/toJson.ts'
import { tableBelow } from '../../house/pageParts.ts'

const root = join(import.meta.dir, '../../..')
const page = await Bun.file(join(root, 'docs/protocol/msgpack.md')).text()
const codeOf = (cell: string | undefined): string => /`([^`]+)`/.exec(cell ?? '')?.[1] ?? ''

describe('docs/protocol/msgpack.md', () => {
  test('names every kind and its fields, in order', () => {
    const listed = tableBelow(page, '## Frames').filter(([kind]) => Number(kind) > 5)
    expect(
      listed.map(([kind, type, fields]) => `${kind} ${codeOf(type)}: ${fields!.replaceAll('`', '')}`),
    ).toEqual(
      Object.entries(layouts).map(([type, { kind, fields }]) => {
        const names = fields.map(([name, form]) => {
          const optional = form === 'text' ? '' : '?'
          return `${wireName(name)}${optional}`
        })
        return `${kind} ${type}: ${names.join(', ')}`
      }),
    )
  })

  test('names every extra', () => {
    const named = tableBelow(page, '### Extras').flatMap(([keys]) =>
      [...keys!.matchAll(/`(\w+)`/g)].map(([, key]) => key!),
    )
    expect(named.sort()).toEqual(Object.keys(NO_EXTRAS).map(wireName).sort())
  })

  test('names every capability', () => {
    expect(tableBelow(page, '### Capabilities').map(([name]) => codeOf(name))).toEqual([...capabilities])
  })

  test('names every reason to close and its code', () => {
    const rows = tableBelow(page, '## What is wrong, and what happens then')
    expect(Object.fromEntries(rows.map(([reason, code]) => [codeOf(reason), Number(code)]))).toEqual(
      closeCodes,
    )
  })

  test('has the limits of the code', () => {
    expect(page).toContain(`sub-protocol \`${SUBPROTOCOL}\``)
    expect(page).toContain(`at most ${limits.messageBytes / 2 ** 20} MiB`)
    expect(page).toContain(`at most ${limits.framesPerMessage.toLocaleString('en-GB')} frames`)
    expect(page).toContain(`more than ${PAYLOAD_DEPTH} levels`)
  })

  test('names every file of vectors', () => {
    const named = tableBelow(page, '## Test vectors').map(([file]) => codeOf(file))
    expect(named.sort()).toEqual(readdirSync(join(root, 'tests/vectors/msgpack')).sort())
  })
})
