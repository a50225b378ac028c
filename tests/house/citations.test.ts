/** Pages that comments in the code cite: a reader of the code can open them, at the place that is meant. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPage } from './markdown.ts'

const root = join(import.meta.dir, '..', '..')
const elsewhere = /(^|\/)(node_modules|target|\.[^/]+)\//
const files = [
  ...new Bun.Glob('{src,workers,sdk,tests,examples,scripts,bench}/**/*.{ts,mjs,py,rs,sh}').scanSync(root),
]
  .filter(path => !elsewhere.test(path) && !path.endsWith('citations.test.ts'))
  .sort()

/** The text of a line's comment, if it has one. `*` continues one of several lines. */
const comment = /(?:^\s*(?:\/\*\*?|\*|\/\/|#)|\s(?:\/\*\*?|\/\/|#)\s)(.*)$/
const page = /(?<![\w/.-])[\w./-]+\.md(?:#[\w-]*)?/g
/** `3.6` or `3.6.1` in brackets or behind the name of a page: a section of something that is not here. */
const section = /(?:\((?:\d+\.)+\d+(?:, (?:\d+\.)+\d+)*\)|\.md` \d)/

/** Why a cited page leads nowhere; `undefined` when a reader finds it. */
function complaintAbout(cited: string): string | undefined {
  const [path = '', anchor] = cited.split('#')
  if (/^\/|\.\.\//.test(path)) return `${path} is outside of the project`
  if (!existsSync(join(root, path))) return `${path} does not exist`
  if (anchor === undefined) return undefined
  return readPage(readFileSync(join(root, path), 'utf8')).anchors.has(anchor)
    ? undefined
    : `no heading #${anchor}`
}

function complaintsIn(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, at) => {
    const said = comment.exec(line)?.[1]
    if (said === undefined) return []
    const faults = [...said.matchAll(page)].flatMap(([cited]) => complaintAbout(cited) ?? [])
    if (section.test(said)) faults.push(`a section without a page: ${said.trim()}`)
    return faults.map(fault => `${path}:${at + 1}: ${fault}`)
  })
}

describe('pages that comments cite', () => {
  test('exist in this project, with the heading that is named', () => {
    expect(files.length).toBeGreaterThan(100)
    const complaints = files.flatMap(path => complaintsIn(path, readFileSync(join(root, path), 'utf8')))
    expect(complaints).toEqual([])
  })

  test.each([
    ['/** A rule (`protocol.md` 3.6). */', 2],
    ['  /** A rule (3.6.1). */', 1],
    [' * A rule (`docs/protocol/json.md#no-such-heading`)', 1],
    ['const a = 1 // see `../elsewhere/page.md`', 1],
    ['# see ../README.md', 1],
    ["const page = 'nowhere.md'", 0],
    ['/** A rule (`docs/protocol/json.md#reattach`). */', 0],
  ])('%p is complained of %p times', (line, times) => {
    expect(complaintsIn('example.ts', line)).toHaveLength(times)
  })
})
