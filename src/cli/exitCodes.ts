/** What the command's end tells its caller. Scripts depend on these numbers. */
export const exitCodes = {
  success: 0,
  failure: 1,
  usage: 2,
  timeout: 124,
  interrupted: 130,
  terminated: 143,
} as const

export type StopSignal = 'SIGINT' | 'SIGTERM'

export function exitCodeOf(signal: StopSignal): number {
  return signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}
