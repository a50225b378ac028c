import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import type { Partition } from '../storage/partition.ts'

interface Common {
  readonly clock: Clock
  readonly log: Log
}

export function openOnDisk(_folder: string, _common: Common): Promise<Partition> {
  return Promise.reject(new Error('no storage yet'))
}

export function openInMemory(_common: Common): Partition {
  return { close: async () => {} } as Partition
}
