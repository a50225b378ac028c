/** What a group of commands needs to be added to the program. */
import type { Terminal } from './terminal.ts'
import type { Dialler } from './trigger/connection.ts'

export interface CommandParts {
  readonly terminal: Terminal
  /** Takes the exit code. */
  readonly end: (exitCode: number) => void
  readonly createDialler: () => Promise<Dialler>
  /** Where the options of a command are shown, for who has written it wrongly. */
  readonly seeHelp: (words: string) => string
  /** Reads an option that is a whole number. */
  readonly wholeNumber: (from: number, to?: number) => (text: string) => number
}
