/**
 * Read your writes. The directory may be on another thread and answer a moment later; a call that a worker makes after
 * a registration waits until that one has happened, and everything behind the call waits with it. Registrations do not
 * wait for each other: they are carried out in the order in which they are given.
 *
 *     register a ─▶ given          (unanswered 1)
 *     register b ─▶ given          (unanswered 2)
 *     call f     ─▶ parked, the link is paused
 *     register c ─▶ parked behind it
 *     … answered, answered ─▶ call f, register c, the link goes on
 *
 * Answers to calls never wait: nobody's registration can change who made them.
 */
import type { Connection, ParkedFrame } from './connection.ts'
import type { Command } from './directory/command.ts'
import type { EngineState } from './state.ts'

/** Whether a frame must wait for its turn. */
export function mustWait({ parked, unanswered }: Connection, { type }: ParkedFrame): boolean {
  return parked.length > 0 || (unanswered > 0 && (type === 'invokefunction' || type === 'fanout'))
}

/** Lets a frame wait. No further one comes over the link meanwhile, but some may have come already. */
export function park(connection: Connection, frame: ParkedFrame): void {
  connection.parked.push(frame)
  if (connection.parked.length === 1 && ++connection.stalledBy === 1) connection.link.pause()
}

/** Gives the directory a command of this connection; `then` runs when what follows from it here has happened. */
export function submit(
  engine: EngineState,
  connection: Connection,
  command: Command,
  then?: () => void,
): void {
  connection.unanswered++
  engine.registry.submit(command, () => {
    connection.unanswered--
    then?.()
    if (connection.unanswered === 0 && connection.parked.length > 0) engine.unpark(connection)
  })
}
