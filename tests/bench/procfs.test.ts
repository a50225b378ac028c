import { describe, expect, test } from 'bun:test'
import { watchOthers } from '../../bench/machine.ts'
import {
  cpuSeconds,
  familyCpuSeconds,
  machineCpuSeconds,
  residentMiB,
  threadSeconds,
} from '../../bench/procfs.ts'

/** A program that uses 0.2 s of CPU time, however long that takes, and says how much it was. */
const BURN = `
  const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6 }
  while (used() < 0.2);
  console.log(used())
`
/** Times in /proc are in steps of 10 ms; each of two numbers may be off by one. */
const STEPS = 0.02
const NOBODY = 2 ** 30

async function burnInChild(): Promise<number> {
  const child = Bun.spawn([process.execPath, '-e', BURN], { stdout: 'pipe' })
  const used = Number(await new Response(child.stdout).text())
  await child.exited
  return used
}

describe.if(process.platform === 'linux')('what the kernel says', () => {
  test('CPU time of a process grows by what it uses', () => {
    const before = cpuSeconds(process.pid)!
    const { user, system } = process.cpuUsage()
    while (cpuSeconds(process.pid)! < before + 0.1);
    const used = process.cpuUsage()
    const difference = cpuSeconds(process.pid)! - before - (used.user + used.system - user - system) / 1e6
    expect(Math.abs(difference)).toBeLessThanOrEqual(STEPS)
  })

  test('CPU time of threads adds up to that of their process', () => {
    const threads = Object.values(threadSeconds(process.pid)!)
    const sum = threads.reduce((total, seconds) => total + seconds, 0)
    // Those that have ended are missing; each of the others is cut to a step.
    expect(sum).toBeLessThanOrEqual(cpuSeconds(process.pid)! + STEPS)
    expect(sum).toBeGreaterThan(0)
  })

  test('CPU time of a family holds the children that have ended, that of the machine holds everybody', async () => {
    const before = { family: familyCpuSeconds()!, machine: machineCpuSeconds()! }
    const used = await burnInChild()
    const after = { family: familyCpuSeconds()!, machine: machineCpuSeconds()! }
    expect(after.family - before.family).toBeGreaterThanOrEqual(used - STEPS)
    expect(after.machine - before.machine).toBeGreaterThanOrEqual(used - STEPS)
  })

  test('the share of others is between nothing and everything', async () => {
    const share = watchOthers()
    await burnInChild()
    expect(share()).toBeGreaterThanOrEqual(0)
    expect(share()).toBeLessThanOrEqual(1)
  })

  test('resident memory is that of the process', () => {
    const { rss } = process.memoryUsage()
    expect(residentMiB(process.pid)! / (rss / 2 ** 20)).toBeCloseTo(1, 0)
  })

  test('nothing is said of a process that does not exist', () => {
    expect(cpuSeconds(NOBODY)).toBeUndefined()
    expect(residentMiB(NOBODY)).toBeUndefined()
  })
})
