import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const script = join(import.meta.dir, '..', '..', 'scripts', 'python.ts')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'python-'))
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'requirements.txt'), 'iii-sdk==0.25.0\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Stands in for Python: answers the version question, and makes "environments" of itself unless told to fail. */
function addPython(version: string, failing = 'nothing'): void {
  const path = join(folder, 'bin', 'python3')
  writeFileSync(
    path,
    `#!/bin/sh
[ "$1" = -c ] && echo "${version}" && exit 0
[ "$2" = ${failing} ] && echo "$2 does not work here" >&2 && exit 1
[ "$2" = venv ] && mkdir -p "$3/bin" && install -m 755 "$0" "$3/bin/python"
exit 0
`,
  )
  chmodSync(path, 0o755)
}

/** Asks in a process of its own, which sees no other Python than the stand-in. */
async function ask(): Promise<{ answer: Record<string, string>; said: string[] }> {
  const options = { cache: join(folder, 'cache'), requirements: join(folder, 'requirements.txt') }
  const code = `
    const { providePython } = await import(${JSON.stringify(script)})
    const said = []
    const answer = await providePython({ ...${JSON.stringify(options)}, say: text => said.push(text) })
    console.log(JSON.stringify({ answer, said }))`
  const env = { PATH: `${join(folder, 'bin')}:${join(folder, 'tools')}` }
  // What the stand-in itself needs.
  mkdirSync(join(folder, 'tools'), { recursive: true })
  for (const tool of ['sh', 'mkdir', 'install']) {
    const target = join(folder, 'tools', tool)
    if (!existsSync(target))
      writeFileSync(target, `#!/bin/sh\nexec ${Bun.which(tool)} "$@"\n`, { mode: 0o755 })
  }
  const child = Bun.spawn([process.execPath, '-e', code], { env, stdout: 'pipe' })
  return JSON.parse(await new Response(child.stdout).text())
}

test('makes an environment with the packages once, and finds it again', async () => {
  addPython('3 11 /usr/bin/python3')
  const first = await ask()
  expect(first.answer.program).toMatch(/python-[^/]+\/bin\/python$/)
  expect(first.said[1]).toContain('iii-sdk==0.25.0')
  const second = await ask()
  expect(second).toEqual({ answer: first.answer, said: [] })
})

test('makes another one for other packages', async () => {
  addPython('3 11 /usr/bin/python3')
  const { answer } = await ask()
  writeFileSync(join(folder, 'requirements.txt'), 'iii-sdk==0.23.0\n')
  expect((await ask()).answer.program).not.toBe(answer.program!)
  expect(readdirSync(join(folder, 'cache'))).toHaveLength(2)
})

test.each([
  ['there is no Python', () => {}, /no Python 3\.10 or newer/],
  ['it is too old', () => addPython('3 9 /usr/bin/python3'), /no Python 3\.10 or newer/],
  [
    'environments cannot be made',
    () => addPython('3 11 x', 'venv'),
    /no virtual environment: venv does not work here/,
  ],
  ['packages cannot be installed', () => addPython('3 11 x', 'pip'), /pip failed: pip does not work here/],
])('says why and what to do when %s', async (_, prepare, why) => {
  prepare()
  const { answer } = await ask()
  expect(answer.missing).toMatch(why)
  expect(answer.fix).toBeString()
})

test('tries again after a failure', async () => {
  addPython('3 11 x', 'pip')
  await ask()
  addPython('3 11 x')
  expect((await ask()).answer.program).toBeString()
})
