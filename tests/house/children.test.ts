import { expect, test } from 'bun:test'
import { type Child, startChild, stopChildren } from '../../scripts/children.ts'

/** Starts a shell script and waits for its first line. */
async function startScript(script: string): Promise<{ child: Child; lines: string[] }> {
  const lines: string[] = []
  const { promise: up, resolve } = Promise.withResolvers<void>()
  const onLine = (line: string): void => {
    lines.push(line)
    resolve()
  }
  const child = startChild('script', ['sh', '-c', script], { cwd: '/', env: process.env, onLine })
  await up
  return { child, lines }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('both outputs of a process come line by line, also the last one without an end', async () => {
  const { child, lines } = await startScript('echo one; echo two >&2; printf three')
  await child.exited
  // The two streams are independent of each other; within one the order stays.
  expect(lines.filter(line => line !== 'two')).toEqual(['one', 'three'])
  expect(lines).toContain('two')
})

test('a process that answers the request ends with its own code', async () => {
  const { child } = await startScript('trap "exit 3" TERM; echo up; while :; do sleep 0.01; done')
  await stopChildren([child], 10_000)
  expect(child.exitCode()).toBe(3)
})

test('a process that ignores the request is killed, and none is left', async () => {
  const { child } = await startScript('trap "" TERM; echo up; while :; do sleep 0.01; done')
  await stopChildren([child], 50)
  expect(child.exitCode()).toBe(137)
  expect(isRunning(child.pid)).toBe(false)
})

test('stopping what has ended already is nothing', async () => {
  const { child } = await startScript('echo up')
  await child.exited
  await stopChildren([child], 10_000)
  expect(child.exitCode()).toBe(0)
})
