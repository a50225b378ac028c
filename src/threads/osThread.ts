/** The thread as the operating system sees it: its name in `top`, and its number, by which its CPU time can be read. */
import { readFileSync } from 'node:fs'

const SET_NAME = 15
/** Characters the kernel keeps. */
const NAME_LENGTH = 15

/** Names this thread and returns its number; `undefined` where that is not possible. */
export function nameThread(name: string): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const { dlopen, FFIType, ptr } = require('bun:ffi') as typeof import('bun:ffi')
    const { symbols } = dlopen('libc.so.6', {
      gettid: { args: [], returns: FFIType.i32 },
      prctl: {
        args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.u64, FFIType.u64],
        returns: FFIType.i32,
      },
    })
    const bytes = Buffer.from(`${name.slice(0, NAME_LENGTH)}\0`)
    symbols.prctl(SET_NAME, ptr(bytes), 0, 0, 0)
    return symbols.gettid()
  } catch {
    // Another C library: threads have no names then, and that is all.
    return undefined
  }
}

const TICKS_PER_SECOND = 100

/** Seconds of CPU a thread of this process has used; `undefined` if it cannot be read. */
export function cpuSeconds(threadId: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${threadId}/stat`, 'utf8')
    // The name stands in parentheses and may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  } catch {
    return undefined
  }
}
