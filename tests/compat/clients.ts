/** The published clients that the tests run, one row each: what they are, what they can, how they are made ready. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { providePython } from '../../scripts/python.ts'
import { withLock } from '../support/lock.ts'

export interface ClientUnderTest {
  /** Package, version and runtime. */
  readonly name: string
  readonly language: 'typescript' | 'python' | 'rust'
  /** Version it announces; decides about duplicates and names. */
  readonly version: string
  /** Has `registertrigger` and its relatives; the newest crate reacts by observers only. */
  readonly triggers: boolean
  /** Largest message that it reads, in bytes. */
  readonly reads: number
  /** Still tries to reconnect when the connection is lost while it registers everything again. */
  readonly survivesLostReplay: boolean
  /** Why this machine cannot run it; `undefined` when it can. */
  missing(): string | undefined
  /** Makes everything ready that is not yet; returns the command of its driver. */
  prepare(): Promise<string[]>
}

const MiB = 1024 * 1024
const here = import.meta.dir
const cache = join(here, '../../.cache')

const missingProgram = (program: string) => (): string | undefined =>
  Bun.which(program) === null ? `there is no ${program} on PATH` : undefined

const npmDriver = join(here, 'drivers/npm.ts')

/** Node 20 reads no TypeScript; the text without its types is the same program. */
async function forNode(): Promise<string> {
  const folder = join(cache, 'compat')
  const path = join(folder, 'npm.mjs')
  await withLock(join(cache, 'locks', 'npm'), async () => {
    mkdirSync(folder, { recursive: true })
    const text = new Bun.Transpiler({ loader: 'ts', target: 'node' }).transformSync(
      await Bun.file(npmDriver).text(),
    )
    await Bun.write(path, text)
  })
  return path
}

const npm = (
  runtime: 'Node' | 'Bun',
  command: () => Promise<string[]>,
  program: string,
): ClientUnderTest => ({
  name: `npm iii-sdk 0.22.1 on ${runtime}`,
  language: 'typescript',
  version: '0.22.1',
  triggers: true,
  reads: 64 * MiB,
  survivesLostReplay: true,
  missing: missingProgram(program),
  prepare: command,
})

/** The oldest Python that all of these packages take. */
const PYTHON = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'

function missingPython(): string | undefined {
  const missing = missingProgram('python3')()
  if (missing !== undefined) return missing
  const { success } = Bun.spawnSync(['python3', '-c', PYTHON], { stdout: 'ignore', stderr: 'ignore' })
  return success ? undefined : 'python3 is older than 3.10 or has no venv'
}

const pypi = (version: string, { isOld }: { isOld: boolean }): ClientUnderTest => ({
  name: `PyPI iii-sdk ${version}`,
  language: 'python',
  version,
  triggers: true,
  reads: isOld ? MiB : 64 * MiB,
  survivesLostReplay: !isOld,
  missing: missingPython,
  async prepare() {
    const requirements = join(here, 'python', `requirements-${version}.txt`)
    const python = await withLock(join(cache, 'locks', 'python'), () =>
      providePython({ cache, requirements, say: text => process.stderr.write(`${text}\n`) }),
    )
    if ('missing' in python) throw new Error(`${python.missing}: ${python.fix}`)
    return [python.program, '-u', join(here, 'drivers/pypi.py')]
  },
})

const crate = (generation: string, version: string, triggers: boolean): ClientUnderTest => ({
  name: `crate iii-sdk ${version}`,
  language: 'rust',
  version,
  triggers,
  // The library's default for a message is 64 MiB, for a frame 16 MiB; a client sends one frame up to there.
  reads: generation === '0.26' ? 64 * MiB : 16 * MiB,
  survivesLostReplay: true,
  missing: missingProgram('cargo'),
  async prepare() {
    const target = join(cache, 'cargo')
    const program = join(target, 'debug', `driver-${generation.replace('.', '-')}`)
    if (!existsSync(program)) process.stderr.write(`Compiling the driver for crate iii-sdk ${version} …\n`)
    // Cargo itself keeps two builds in one folder apart.
    const build = Bun.spawn(['cargo', 'build', '--locked', '--quiet'], {
      cwd: join(here, 'rust', generation),
      env: { ...process.env, CARGO_TARGET_DIR: target },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
    const errors = await new Response(build.stderr).text()
    if ((await build.exited) !== 0) throw new Error(`cargo build failed:\n${errors}`)
    return [program]
  },
})

export const npmOnBun = npm('Bun', async () => [process.execPath, npmDriver], process.execPath)
export const npmOnNode = npm('Node', async () => ['node', await forNode()], 'node')

export const npmClients = [npmOnBun, npmOnNode]
export const pypiClients = [
  pypi('0.22.1', { isOld: true }),
  pypi('0.23.0', { isOld: true }),
  pypi('0.25.0', { isOld: false }),
]
export const crateClients = [
  crate('0.22', '0.22.1', true),
  crate('0.23', '0.23.0', true),
  crate('0.26', '0.26.0-rc.4', false),
]
export const allClients: readonly ClientUnderTest[] = [...npmClients, ...pypiClients, ...crateClients]

/** The command of the client's driver, after everything it needs was made ready. */
export async function prepare(client: ClientUnderTest): Promise<string[]> {
  const missing = client.missing()
  if (missing !== undefined) throw new Error(`cannot run ${client.name}: ${missing}`)
  return await client.prepare()
}

/** From 0.23 a worker's name and its functions have one owner, and namespaces exist. */
export const hasLeases = ({ version }: ClientUnderTest): boolean => !/^0\.(\d|1\d|2[012])\./.test(version)
