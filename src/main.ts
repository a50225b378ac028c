#!/usr/bin/env bun
/** The `iii` command. */
import { runCommandLine } from './cli/program.ts'
import { systemTerminal } from './cli/terminal.ts'

// No top-level await: Bun's bytecode builds cannot take it.
void runCommandLine(process.argv.slice(2), systemTerminal()).then(exitCode => {
  // Sockets and timers of a command that is over must not keep the process.
  process.exit(exitCode)
})
