import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createFailures } from '../../scripts/failures.ts'
import { readTotals, totalsLine } from '../../scripts/totals.ts'

const root = join(import.meta.dir, '..', '..')

describe('npm test', () => {
  const run = async (...paths: string[]) => {
    const script = join(root, 'scripts', 'test.ts')
    const child = Bun.spawn([process.execPath, script, ...paths], {
      cwd: root,
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [code, out] = await Promise.all([child.exited, new Response(child.stdout).text()])
    void new Response(child.stderr).text()
    const lines = out.trimEnd().split('\n')
    return { code, lastLine: lines.pop(), lineBefore: lines.pop() }
  }

  test('counts passed and failed tests on its last line, skipped ones before it, and fails', async () => {
    const { code, lastLine, lineBefore } = await run('tests/house/cases/mixed.case.ts')
    expect([lineBefore, lastLine]).toEqual(['2 skipped', '1 passed, 1 failed'])
    expect(code).toBe(1)
  })

  test('counts a file that cannot be loaded as a failure', async () => {
    const { code, lastLine } = await run(
      'tests/house/cases/mixed.case.ts',
      'tests/house/cases/broken.case.ts',
    )
    expect(lastLine).toBe('1 passed, 2 failed')
    expect(code).toBe(1)
  })

  test('is not fooled by a test that ends the process with code 0', async () => {
    expect(await run('tests/house/cases/leaves.case.ts')).toMatchObject({
      code: 1,
      lastLine: '0 passed, 1 failed',
    })
  })

  test('fails when it found no test', async () => {
    expect(await run('tests/no-such-thing')).toMatchObject({ code: 1, lastLine: '0 passed, 1 failed' })
  })

  test('is green when everything passes', async () => {
    const { code, lastLine } = await run('--test-name-pattern', '^passes$', 'tests/house/cases/mixed.case.ts')
    expect({ code, lastLine }).toEqual({ code: 0, lastLine: '1 passed, 0 failed' })
  })
})

test('what failing tests have printed is kept, whatever else is printed, and however it arrives', () => {
  const output = [
    'bun test v1',
    '',
    'tests/a.test.ts:',
    'printed by a test that passes',
    '(pass) one [1.00ms]',
    'error: expected 1',
    '      at somewhere',
    '\u001b[31m(fail)\u001b[0m group > two [1.00ms]',
    '(skip) three',
    '',
    'tests/b.test.ts:',
    '(fail) four',
    '',
  ].join('\n')
  for (const size of [1, 7, output.length]) {
    const failures = createFailures()
    for (let place = 0; place < output.length; place += size) failures.read(output.slice(place, place + size))
    expect(failures.texts().map(text => Bun.stripANSI(text))).toEqual([
      'tests/a.test.ts:\nerror: expected 1\n      at somewhere\n(fail) group > two [1.00ms]\n',
      'tests/b.test.ts:\n(fail) four\n',
    ])
  }
})

describe('the closing lines', () => {
  const closing = (...lines: string[]) =>
    `\n\u001b[32m ${lines.join('\n ')}\u001b[0m\nRan 9 tests across 2 files. [1.00s]\n`

  test('are read with colours, and only where they close', () => {
    const output = ` 99 fail\n${'x'.repeat(500)}${closing('7 pass', '1 skip', '1 todo', '0 fail')}`
    expect(readTotals(output)).toEqual({ passed: 7, failed: 0, skipped: 2 })
  })

  test('count an error between tests', () => {
    expect(readTotals(closing('7 pass', '0 fail', '1 error'))).toEqual({ passed: 7, failed: 1, skipped: 0 })
  })

  test('are missing when the run was cut', () => {
    expect(readTotals('(pass) one\n(pass) two\n')).toBeUndefined()
  })

  test('become one line', () => {
    expect(totalsLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed')
    expect(totalsLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped')
  })
})
