/** What the kernel says about a process. Linux only: elsewhere there is no such file and the answer is `undefined`. */
import { readdirSync, readFileSync } from 'node:fs'

/** Unit of the times in /proc/PID/stat; the kernel shows 100 per second on every architecture Bun runs on. */
const TICKS_PER_SECOND = 100
const KIB_PER_MIB = 1024

function readProc(pid: number | 'self', file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

/** The numbers of /proc/PID/stat from field 3 on; the name before them, in brackets, may hold spaces. */
function readStat(pid: number | 'self'): number[] | undefined {
  const stat = readProc(pid, 'stat')
  return stat
    ?.slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
}

/** CPU time of all threads of a process so far, user and system, in seconds; steps of 10 ms. */
export function cpuSeconds(pid: number): number | undefined {
  const stat = readStat(pid)
  if (stat === undefined) return undefined
  const [utime, stime] = stat.slice(11)
  return (utime! + stime!) / TICKS_PER_SECOND
}

/** The same of each thread, by its name; threads of one name together. */
export function threadSeconds(pid: number): Record<string, number> | undefined {
  const seconds: Record<string, number> = {}
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
      const nameEnd = stat.lastIndexOf(')')
      const name = stat.slice(stat.indexOf('(') + 1, nameEnd)
      const [utime, stime] = stat
        .slice(nameEnd + 2)
        .split(' ')
        .slice(11)
        .map(Number)
      seconds[name] = (seconds[name] ?? 0) + (utime! + stime!) / TICKS_PER_SECOND
    }
  } catch {
    return undefined
  }
  return seconds
}

/** The same of this process, with the processes it started, and those they started, as far as they have ended. */
export function familyCpuSeconds(): number | undefined {
  const stat = readStat('self')
  if (stat === undefined) return undefined
  const [utime, stime, childrenUtime, childrenStime] = stat.slice(11)
  return (utime! + stime! + childrenUtime! + childrenStime!) / TICKS_PER_SECOND
}

/** CPU time all processors have spent on anything so far, in seconds; what a hypervisor took away counts as spent. */
export function machineCpuSeconds(): number | undefined {
  let line: string | undefined
  try {
    line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]
  } catch {
    return undefined
  }
  // cpu  user nice system idle iowait irq softirq steal …
  const [user, nice, system, , , irq, softirq, steal] = line!.trim().split(/ +/).slice(1).map(Number)
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1]
  return kib === undefined ? undefined : Number(kib) / KIB_PER_MIB
}
