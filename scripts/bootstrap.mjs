#!/usr/bin/env node
/**
 * Brings what the project runs on, then runs a script of it:
 *
 *     node scripts/bootstrap.mjs scripts/start.ts [argument …]
 *
 * Needs Node 18 (or any Bun) and a package registry the first time; nothing after that. In order:
 *  1. the Bun that package.json pins: the running one, the one in .tools, the one on PATH, or npm fetches it to .tools;
 *  2. the dependencies of bun.lock, unless node_modules was made from the same files;
 *  3. the script, with this terminal, this exit code and every signal handed on; when npm goes, it is asked to stop.
 *
 * Plain JavaScript without dependencies, because it runs before there are any.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tools = join(root, '.tools')
const stamp = join(root, 'node_modules', '.made-from')
const onWindows = process.platform === 'win32'
/** Signals a person or a supervisor stops a program with. */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** A step that failed, told to the person who typed the command: what happened, and what to do. */
class StepFailed extends Error {
  constructor(message, fix, output = '') {
    super(message)
    this.fix = fix
    this.output = output
  }
}

/** The process under way; it is told when this one is. */
let current

for (const signal of stopSignals) process.on(signal, () => current?.kill(signal))

/** How often it is looked whether npm is still there. */
const LOOK_MS = 500

/** Parent and words of another process, `undefined` where /proc does not say. */
function processOf(pid) {
  try {
    // The name of the program stands in parentheses and may have blanks and parentheses itself.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0])
    return { parent, words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }
  } catch {
    return undefined
  }
}

/**
 * A signal to npm ends npm: between it and this process is a shell that passes nothing on. So the going of either counts
 * as SIGTERM. The shell outlives some signals to npm; that is seen where there is a /proc.
 */
function stopWhenNpmGoes() {
  if (process.env.npm_lifecycle_event === undefined) return
  const { ppid: parent } = process
  const shell = processOf(parent)
  const npm = shell?.words[1] === '-c' ? shell.parent : undefined
  const isGone = () => process.ppid !== parent || (npm !== undefined && npm !== processOf(parent)?.parent)
  const looking = setInterval(() => {
    if (current === undefined || !isGone()) return
    clearInterval(looking)
    current.kill('SIGTERM')
  }, LOOK_MS)
  looking.unref()
}

/** Ends with the code of the child, or with 128 + n after signal n, as a shell would. */
const exitCode = (code, signal) => code ?? 128 + (constants.signals[signal] ?? 1)

/** Runs a long step with its output held back: progress now, the output only if the step fails. */
function runStep(title, command, args, fix, options = {}) {
  return new Promise((resolve, reject) => {
    const began = Date.now()
    const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`
    process.stderr.write(`${title} …\n`)
    const still = setInterval(() => process.stderr.write(`  still at it (${seconds()})\n`), 10_000)
    let output = ''
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    current = child
    const keep = chunk => {
      output = (output + chunk).slice(-8000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', error => {
      clearInterval(still)
      reject(new StepFailed(`${title}: ${command} could not be started (${error.code})`, fix))
    })
    child.on('close', (code, signal) => {
      clearInterval(still)
      current = undefined
      // Only a signal to stop ends an installer this way: the person knows why.
      if (stopSignals.includes(signal)) process.exit(exitCode(code, signal))
      if (code !== 0) return reject(new StepFailed(`${title}: failed after ${seconds()}`, fix, output))
      process.stderr.write(`  done in ${seconds()}\n`)
      resolve()
    })
  })
}

/** The version a Bun says it is, `undefined` if there is none at this path. */
function versionOf(command) {
  const answer = spawnSync(command, ['--version'], { encoding: 'utf8' })
  return answer.status === 0 ? answer.stdout.trim() : undefined
}

/**
 * Where npm may have put the program. `bun/bin/bun.exe` is it on every platform once the package's install script
 * has run; npm can be told to skip such scripts, then it lies untouched in the package of the platform.
 */
function fetchedBinaries() {
  const modules = join(tools, 'node_modules')
  const platforms = existsSync(join(modules, '@oven')) ? readdirSync(join(modules, '@oven')) : []
  return [
    join(modules, 'bun', 'bin', 'bun.exe'),
    ...platforms.map(name => join(modules, '@oven', name, 'bin', onWindows ? 'bun.exe' : 'bun')),
  ].filter(path => existsSync(path))
}

async function provideBun(version) {
  if (process.versions.bun === version) return process.execPath
  const present = [...fetchedBinaries(), 'bun'].find(path => versionOf(path) === version)
  if (present !== undefined) return present

  mkdirSync(tools, { recursive: true })
  const fix =
    `Check that a package registry is reached (\`npm view bun@${version}\`; proxies: \`npm config get proxy\`), or ` +
    `install Bun ${version} yourself (https://bun.com/docs/installation) and run the same command again.`
  const title = `Fetching Bun ${version} into .tools (about 50 MB, once)`
  if (versionOf('npm') !== undefined || process.versions.bun === undefined) {
    // By itself npm tries a registry that is not there for minutes.
    const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=30000']
    const npm = [
      'install',
      '--no-save',
      '--no-package-lock',
      '--no-audit',
      '--no-fund',
      ...patience,
      '--prefix',
      tools,
    ]
    await runStep(title, 'npm', [...npm, `bun@${version}`], fix, { shell: onWindows })
  } else {
    writeFileSync(join(tools, 'package.json'), '{ "private": true }\n')
    await runStep(title, process.execPath, ['add', '--exact', `bun@${version}`], fix, { cwd: tools })
  }

  const fetched = fetchedBinaries().find(path => versionOf(path) === version)
  if (fetched === undefined) {
    throw new StepFailed(
      `Bun ${version} was fetched but does not run on this machine (${process.platform} ${process.arch})`,
      'Bun needs a 64-bit processor and Linux, macOS or Windows. If this is one, delete .tools and run again.',
    )
  }
  return fetched
}

/** What node_modules has to be made from; changes when a pull brings other versions. */
function dependenciesStamp() {
  const hash = createHash('sha256')
  for (const file of ['package.json', 'bun.lock']) hash.update(readFileSync(join(root, file)))
  return `${hash.digest('hex')} ${process.platform} ${process.arch}\n`
}

async function provideDependencies(bun) {
  const wanted = dependenciesStamp()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  await runStep(
    'Installing the dependencies of bun.lock',
    bun,
    ['install', '--frozen-lockfile'],
    'If package.json and bun.lock disagree, run `bun install` and commit bun.lock; else check that the package ' +
      'registry is reached and run the same command again.',
  )
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

/** Runs the script and ends as it ends. `--no-orphans`: whatever it started ends with it, even after a kill. */
function run(bun, script, args) {
  current = spawn(bun, ['--no-orphans', script, ...args], { stdio: 'inherit' })
  current.on('error', error =>
    fail(new StepFailed(`${bun} could not be started (${error.code})`, 'Delete .tools.')),
  )
  current.on('close', (code, signal) => process.exit(exitCode(code, signal)))
}

function fail(error) {
  if (!(error instanceof StepFailed)) throw error
  if (error.output !== '') process.stderr.write(`${error.output.trimEnd()}\n`)
  process.stderr.write(`error: ${error.message}\nfix:   ${error.fix}\n`)
  process.exit(1)
}

const [script, ...args] = process.argv.slice(2)
if (script === undefined) {
  process.stderr.write('usage: node scripts/bootstrap.mjs SCRIPT [ARGUMENT …]\n')
  process.exit(2)
}
stopWhenNpmGoes()
try {
  const pin = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager
  const bun = await provideBun(pin.replace('bun@', ''))
  await provideDependencies(bun)
  run(bun, join(root, script), args)
} catch (error) {
  fail(error)
}
