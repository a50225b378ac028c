/** Where figures come from: without it they mean nothing. */
import { cpus, release, totalmem, type } from 'node:os'
import { familyCpuSeconds, machineCpuSeconds } from './procfs.ts'

export function describeMachine(now: Date): string {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${memory} GiB`,
    `${type()} ${release()} ${process.arch}`,
    `Bun ${Bun.version}`,
    now.toISOString().slice(0, 16).replace('T', ' '),
  ].join(' · ')
}

/** CPU time used so far: by the whole machine, and by this process with all that it started and that has ended. */
interface CpuReading {
  readonly machine: number
  readonly own: number
  readonly atMs: number
}

function readCpu(): CpuReading | undefined {
  const machine = machineCpuSeconds()
  const own = familyCpuSeconds()
  return machine === undefined || own === undefined ? undefined : { machine, own, atMs: performance.now() }
}

/**
 * Begins to watch what others do on this machine; the returned function says which share of all its cores they have
 * taken since, 0 … 1. `undefined` where the platform does not say. Ask when what was started has ended.
 */
export function watchOthers(): () => number | undefined {
  const before = readCpu()
  return () => {
    const after = readCpu()
    if (before === undefined || after === undefined) return undefined
    const others = after.machine - before.machine - (after.own - before.own)
    const available = ((after.atMs - before.atMs) / 1000) * cpus().length
    return Math.max(0, others / available)
  }
}
