/** The ways in ARCHITECTURE.md, of an HTTP request and of a write: every function that they name is in the file they name. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')
const page = await Bun.file(join(root, 'ARCHITECTURE.md')).text()

function sectionOf(heading: string): string {
  const begin = page.indexOf(heading)
  expect(begin).toBeGreaterThan(0)
  return page.slice(begin, page.indexOf('\n## ', begin))
}

/** Rows with a number, in the order of the page: file and the functions that run there. */
const stepsOf = (section: string) =>
  [...section.matchAll(/^\| (\d) \| \[`([^`]+)`\]\([^)]+\) \| (.*?) \|/gm)].map(
    ([, number, file, functions]) => ({
      number: Number(number),
      file: file!,
      functions: [...functions!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    }),
  )

const isDefined = (code: string, name: string): boolean =>
  new RegExp(
    `^\\s*(?:export )?(?:async )?(?:function )?${name}\\([^)]*\\)?.*\\{$|function ${name}\\(`,
    'm',
  ).test(code)

describe.each([
  ['an HTTP request', '## The way of one HTTP request', [1, 2, 3, 4, 5, 5, 3, 4, 2, 1]],
  ['a write', '## The way of one `state::set`', [1, 2, 3, 4, 5, 3, 2, 1]],
])('the way of %s', (_, heading, numbers) => {
  const section = sectionOf(heading)
  const steps = stepsOf(section)

  test('goes through five files, and back through the same', () => {
    expect(steps.map(({ number }) => number)).toEqual(numbers)
    expect(new Set(steps.map(({ number, file }) => `${number} ${file}`)).size).toBe(5)
  })

  test.each(steps.map(step => [`${step.number} ${step.file}`, step] as const))(
    '%s has the functions named',
    async (_, step) => {
      const code = await Bun.file(join(root, step.file)).text()
      expect(step.functions.length).toBeGreaterThan(0)
      expect(step.functions.filter(name => !isDefined(code, name))).toEqual([])
    },
  )

  test('names functions of the hops in between that are in their files', async () => {
    const hops = [...section.matchAll(/`(\w+)` in \[`[^`]+`\]\(([^)]+)\)/g)]
    expect(hops.length).toBeGreaterThanOrEqual(6)
    for (const [, name, file] of hops) {
      const code = await Bun.file(join(root, file!)).text()
      expect(`${file} ${name} ${isDefined(code, name!)}`).toBe(`${file} ${name} true`)
    }
  })
})

describe('a way', () => {
  test('notices a function that is not there', async () => {
    expect(isDefined(await Bun.file(join(root, 'src/engine/router.ts')).text(), 'answer')).toBe(false)
  })
})
