/** How far long work is: a line on a terminal that is written over; elsewhere nothing. */
import type { Terminal } from '../terminal.ts'

export interface Progress {
  at(count: number): void
  /** Leaves nothing behind. */
  end(): void
}

export function describeProgress({ err, human }: Terminal, what: string, all: number): Progress {
  let width = 0
  const write = (text: string): void => {
    err(`\r${text.padEnd(width)}`)
    width = text.length
  }
  return {
    at(count) {
      if (human) write(`${count} of ${all} ${what}`)
    },
    end() {
      if (width === 0) return
      write('')
      err('\r')
    },
  }
}
