import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const bootstrap = join(import.meta.dir, '..', '..', 'scripts', 'bootstrap.mjs')
/** The project says it wants a version that does not exist; the stand-ins below bring it. */
const PIN = '0.0.1'

/** Stands in for Bun: says its version, "installs", and runs a script as a shell script. */
const standInBun = `#!/bin/sh
echo "bun $*" >> "$CALLS"
case "$1" in
  --version) echo ${PIN} ;;
  install) echo "$INSTALL_SAYS"; exit "\${INSTALL_ENDS:-0}" ;;
  *) shift; exec sh "$@" ;;
esac
`
/** Stands in for npm: puts the stand-in Bun where npm would. */
const standInNpm = (binary: string) => `#!/bin/sh
echo "npm $*" >> "$CALLS"
[ "$1" = --version ] && exit 0
mkdir -p "$PROJECT/.tools/node_modules/bun/bin" "$PROJECT/.tools/node_modules/${binary.replace(/\/[^/]*$/, '')}"
echo 'exit 1' > "$PROJECT/.tools/node_modules/bun/bin/bun.exe"
install -m 755 "$PROJECT/stand-in-bun" "$PROJECT/.tools/node_modules/${binary}"
`
const linkedByNpm = 'bun/bin/bun.exe'
const platformPackage = '@oven/bun-linux-x64/bin/bun'

let project: string
let commands: string

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'bootstrap-'))
  commands = join(project, 'commands')
  for (const folder of ['scripts', 'commands']) mkdirSync(join(project, folder))
  copyFileSync(bootstrap, join(project, 'scripts', 'bootstrap.mjs'))
  writeFileSync(join(project, 'package.json'), JSON.stringify({ packageManager: `bun@${PIN}` }))
  writeFileSync(join(project, 'bun.lock'), '{}')
  writeFileSync(join(project, 'scripts', 'greet.sh'), 'echo "hello $*"; exit 7')
  addProgram(join(project, 'stand-in-bun'), standInBun)
  addProgram(join(commands, 'npm'), standInNpm(linkedByNpm))
})
afterEach(() => rmSync(project, { recursive: true }))

function addProgram(path: string, text: string): void {
  writeFileSync(path, text)
  chmodSync(path, 0o755)
}

/** Runs the bootstrap in the made-up project; `runtime` is the program a person has. */
function start(runtime: string, args: string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn([runtime, join(project, 'scripts', 'bootstrap.mjs'), ...args], {
    stdout: 'pipe',
    stderr: 'pipe',
    env: {
      PATH: [commands, '/usr/bin', '/bin'].join(delimiter),
      CALLS: join(project, 'calls'),
      PROJECT: project,
      ...environment,
    },
  })
  const ended = async () => {
    const [code, out, errors] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    return { code, out, errors }
  }
  return { child, ended }
}

const run = (runtime: string, args: string[], environment?: Record<string, string>) =>
  start(runtime, args, environment).ended()

/** The commands that were run since the last look, version questions left out. */
function calls(): string[] {
  const path = join(project, 'calls')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  writeFileSync(path, '')
  return lines.filter(line => line !== '' && !line.includes('--version'))
}

const node = findNode()
const runtimes = [['Bun', process.execPath], ...(node === null ? [] : [['Node', node]])] as [string, string][]

/** The program called `node`, unless it is Bun: `bun run` stands in for it where there is none. */
function findNode(): string | null {
  const program = Bun.which('node')
  if (program === null) return null
  const answer = Bun.spawnSync([program, '-p', 'process.versions.bun'])
  return answer.stdout.toString().trim() === 'undefined' ? program : null
}

describe.each(runtimes)('started by %s', (_, runtime) => {
  test('fetches the pinned Bun through npm, installs, and runs the script with its arguments and exit code', async () => {
    const { code, out, errors } = await run(runtime, ['scripts/greet.sh', 'you', '--loud'])
    expect({ code, out }).toEqual({ code: 7, out: 'hello you --loud\n' })
    expect(errors).toContain(`Fetching Bun ${PIN} into .tools`)
    const tools = join(project, '.tools')
    expect(calls()).toEqual([
      `npm install --no-save --no-package-lock --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000 --prefix ${tools} bun@${PIN}`,
      'bun install --frozen-lockfile',
      `bun --no-orphans ${join(project, 'scripts/greet.sh')} you --loud`,
    ])
  })

  test('does none of it again, until bun.lock changes', async () => {
    await run(runtime, ['scripts/greet.sh'])
    calls()
    const { errors } = await run(runtime, ['scripts/greet.sh'])
    expect(errors).toBe('')
    expect(calls()).toHaveLength(1)
    writeFileSync(join(project, 'bun.lock'), '{ "other": true }')
    await run(runtime, ['scripts/greet.sh'])
    expect(calls()[0]).toBe('bun install --frozen-lockfile')
  })

  test("finds the program in the platform's package when npm skips install scripts", async () => {
    addProgram(join(commands, 'npm'), standInNpm(platformPackage))
    expect((await run(runtime, ['scripts/greet.sh'])).code).toBe(7)
  })

  test('takes the Bun on PATH when it is the pinned one', async () => {
    copyFileSync(join(project, 'stand-in-bun'), join(commands, 'bun'))
    expect((await run(runtime, ['scripts/greet.sh'])).code).toBe(7)
    expect(calls().filter(call => call.startsWith('npm'))).toEqual([])
  })

  test('says what npm said and what to do when the registry is not reached', async () => {
    addProgram(
      join(commands, 'npm'),
      '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho ECONNREFUSED >&2; exit 1\n',
    )
    const { code, errors } = await run(runtime, ['scripts/greet.sh'])
    expect(code).toBe(1)
    expect(errors).toMatch(
      /ECONNREFUSED\nerror: Fetching Bun .*\nfix: {3}Check that a package registry is reached/,
    )
  })

  test('says what to do when bun.lock does not fit, and tries again the next time', async () => {
    const failing = { INSTALL_ENDS: '1', INSTALL_SAYS: 'lockfile had changes' }
    const { code, errors } = await run(runtime, ['scripts/greet.sh'], failing)
    expect(code).toBe(1)
    expect(errors).toMatch(/lockfile had changes\nerror: .*\nfix: .*commit bun.lock/)
    expect((await run(runtime, ['scripts/greet.sh'])).code).toBe(7)
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('hands %s on to the script and ends as it ends', async (signal, expected) => {
    writeFileSync(
      join(project, 'scripts', 'wait.sh'),
      'trap "echo told; exit 5" TERM\necho up\nwhile :; do sleep 0.02; done',
    )
    const { child } = start(runtime, ['scripts/wait.sh'])
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
    expect((await lines.read()).value).toBe('up\n')
    child.kill(signal)
    // The script answers the one and is ended by the other.
    expect(await child.exited).toBe(signal === 'SIGTERM' ? 5 : expected)
  })

  test.skipIf(process.platform !== 'linux').each([
    ['SIGTERM', 'ends the shell'],
    ['SIGKILL', 'leaves the shell'],
  ] as const)('stops the script when npm is gone: %s to npm %s in between', async signal => {
    writeFileSync(
      join(project, 'scripts', 'wait.sh'),
      'trap "echo told; exit 5" TERM\necho up\nwhile :; do sleep 0.02; done',
    )
    // Stands in for npm, which passes SIGTERM to the shell only and other ends to nobody.
    addProgram(
      join(commands, 'start'),
      `#!/bin/sh
sh -c '"$RUNTIME" "$PROJECT/scripts/bootstrap.mjs" scripts/wait.sh; :' & shell=$!
trap 'kill $shell; exit 143' TERM
wait
`,
    )
    const npm = Bun.spawn([join(commands, 'start')], {
      stdout: 'pipe',
      env: {
        PATH: [commands, '/usr/bin', '/bin'].join(delimiter),
        CALLS: join(project, 'calls'),
        PROJECT: project,
        RUNTIME: runtime,
        npm_lifecycle_event: 'start',
      },
    })
    const lines = npm.stdout.pipeThrough(new TextDecoderStream()).getReader()
    expect((await lines.read()).value).toBe('up\n')
    npm.kill(signal)
    expect((await lines.read()).value).toBe('told\n')
    // Nobody holds the pipe any more: everything has ended.
    expect((await lines.read()).done).toBe(true)
  })

  test('explains itself when no script is named', async () => {
    const { code, errors } = await run(runtime, [])
    expect(code).toBe(2)
    expect(errors).toStartWith('usage: ')
  })
})

test.skipIf(node === null)('says so when there is no npm (skipped without Node)', async () => {
  rmSync(join(commands, 'npm'))
  const { code, errors } = await run(node!, ['scripts/greet.sh'], { PATH: commands })
  expect(code).toBe(1)
  expect(errors).toContain('npm could not be started (ENOENT)')
})
