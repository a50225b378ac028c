import { expect, test } from 'bun:test'
import { renderErrorDocs } from '../../scripts/errorDocs.ts'
import { errorCatalogue } from '../../src/protocol/errors.ts'

const root = new URL('../../', import.meta.url)

test('docs/errors.md says what the catalogue says', async () => {
  expect(await Bun.file(new URL('docs/errors.md', root)).text()).toBe(renderErrorDocs())
})

test('every code the sources answer with is in the catalogue', async () => {
  const unknown: string[] = []
  let seen = 0
  for await (const path of new Bun.Glob('{src,workers,sdk}/**/*.ts').scan(new URL('.', root).pathname)) {
    const text = await Bun.file(new URL(path, root)).text()
    const uses = text.matchAll(
      /(?:\bcode: |\banswer\(|HandlerError\(\s*|Error\(\s*)'([A-Za-z]+(?:_[A-Za-z]+)+|[A-Z]{4,})'/g,
    )
    for (const [, code] of uses) {
      seen++
      if (!(code! in errorCatalogue)) unknown.push(`${path}: ${code}`)
    }
  }
  expect(unknown).toEqual([])
  expect(seen).toBeGreaterThan(15)
})
