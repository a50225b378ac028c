/** A Python with the packages of a requirements file, in a virtual environment below .cache. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Either the program, or why there is none and what to do. */
export type Python = { program: string } | { missing: string; fix: string }

export interface PythonOptions {
  /** Folder for virtual environments; each set of requirements gets its own. */
  cache: string
  /** Absolute path of the requirements file. */
  requirements: string
  /** Told of steps that take seconds. */
  say(text: string): void
}

/** The oldest Python that the published SDK supports. */
const OLDEST = { major: 3, minor: 10 }

export async function providePython({ cache, requirements, say }: PythonOptions): Promise<Python> {
  const base = findPython()
  if (base === undefined) {
    const wanted = `Python ${OLDEST.major}.${OLDEST.minor} or newer`
    return {
      missing: `there is no ${wanted} on PATH`,
      fix: `install it (Debian: apt-get install python3-venv)`,
    }
  }
  const wanted = `${base.version}\n${readFileSync(requirements, 'utf8')}`
  const folder = join(cache, `python-${Bun.hash(wanted).toString(36)}`)
  const program = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  // Written last: a folder without it is half an environment.
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return { program }

  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  say('Making a virtual environment for Python …')
  const made = await run([base.program, '-m', 'venv', folder])
  if (made !== undefined) {
    // Without Debian's package it explains itself at length; the first line says it.
    return { missing: `no virtual environment: ${made[0]}`, fix: 'Debian: apt-get install python3-venv' }
  }
  say(
    `Installing ${readFileSync(requirements, 'utf8').trim().split('\n').join(', ')} from PyPI (about 10 s, once) …`,
  )
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--retries',
    '1',
    '-r',
    requirements,
  ]
  const installed = await run([program, ...pip])
  if (installed !== undefined) {
    return {
      missing: `pip failed: ${installed.at(-1)}`,
      fix: 'check that PyPI is reached (pip config list) and start again',
    }
  }
  writeFileSync(complete, '')
  return { program }
}

function findPython(): { program: string; version: string } | undefined {
  for (const program of [process.env.PYTHON, 'python3', 'python']) {
    if (program === undefined || Bun.which(program) === null) continue
    const question = 'import sys; print(sys.version_info.major, sys.version_info.minor, sys.executable)'
    const answer = Bun.spawnSync([program, '-c', question], { stderr: 'ignore' })
    const version = answer.stdout.toString().trim()
    const [major, minor] = version.split(' ').map(Number)
    if (answer.success && major === OLDEST.major && minor! >= OLDEST.minor) return { program, version }
  }
  return undefined
}

/** Returns the lines the command said if it failed. */
async function run(command: string[]): Promise<string[] | undefined> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return code === 0 ? undefined : `${out}\n${errors}`.trim().split('\n')
}
