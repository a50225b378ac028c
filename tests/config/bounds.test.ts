/** Configurations that nobody writes by hand: refused at once, whatever they hold. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { problems } from './support.ts'

/** Far more than any of these takes, far less than they took without a bound. */
const AT_ONCE_MS = 5000

describe('a configuration', () => {
  test.each([
    ['[', '['.repeat(200_000)],
    ['{', '{'.repeat(200_000)],
    ['- ', '- '.repeat(100_000)],
    ['? ', '? '.repeat(100_000)],
    ['a: ', 'a: '.repeat(100_000)],
    ['lines', Array.from({ length: 500 }, (_, at) => `${' '.repeat(at)}a:`).join('\n')],
  ])(
    'of nothing but %s is nested too deeply, and read no further',
    (_, text) => {
      const [problem, ...others] = problems(text)
      expect(problem?.message).toBe(`nested more than ${limits.configNesting} levels deep`)
      expect(others).toEqual([])
    },
    AT_ONCE_MS,
  )

  test('of the same marks within text and comments is not nested', () => {
    const marks = '['.repeat(200)
    expect(problems(`# ${marks}\nworkers: []\nother: |\n  ${marks}\nmore: "${marks}"\n`).length).toBe(2)
  })

  test(
    'with a fault in every line tells of the first ones',
    () => {
      const found = problems(']\n'.repeat(20_000))
      expect(found).toHaveLength(limits.configProblems)
      expect(problems('key: 1\n'.repeat(20_000))[0]?.message).toBe('this key stands there twice')
      expect(problems(`workers:\n${'- nme: 1\n'.repeat(5000)}`).at(-1)?.message).not.toBeUndefined()
    },
    AT_ONCE_MS,
  )

  test('lists so many workers and no more', () => {
    expect(problems(`workers:\n${'- name: x\n'.repeat(limits.configWorkers + 1)}`)).toMatchObject([
      { path: 'workers', message: `more than ${limits.configWorkers} entries` },
    ])
  })
})

describe('a slip in the list of workers', () => {
  test.each([
    ['workers:\n  - iii-http\n', 'workers[0]'],
    ['workers: iii-http\n', 'workers'],
    ['workers:\n  iii-http:\n    port: 1\n', 'workers'],
  ])('%j is answered with the form of an entry', (text, path) => {
    const [problem] = problems(text)
    expect(problem).toMatchObject({ path, message: expect.stringContaining('`- name: iii-http`') })
  })

  test('a list within brackets that has dashes, too', () => {
    const suggestions = problems('workers: [- iii-http]\n').map(problem => problem.suggestion)
    expect(suggestions).toContainEqual(expect.stringContaining('`- name: iii-http`'))
  })
})
