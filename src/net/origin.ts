/** Who may connect from a browser. CORS does not apply to WebSockets, so the engine looks at `Origin` itself. */
import { isLoopbackHost } from './loopback.ts'

/**
 * True when an upgrade with this `Origin` header may proceed. No header: not a browser. On a listener without
 * authentication only pages of this machine and listed origins may connect (`docs/protocol/json.md#the-upgrade`).
 */
export function isAllowedOrigin(origin: string | null, allowed: readonly string[]): boolean {
  if (origin === null) return true
  if (allowed.includes(origin)) return true
  try {
    return isLoopbackHost(new URL(origin).hostname)
  } catch {
    return false
  }
}
