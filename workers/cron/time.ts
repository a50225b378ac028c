/**
 * As clients of other engines read it: `2026-05-01T02:00:00+00:00`, with a fraction only if there is one. `offsetMs`: how far the
 * clock that is to be shown is ahead of UTC.
 */
export function rfc3339(ms: number, offsetMs = 0): string {
  const text = new Date(ms + offsetMs).toISOString()
  return (text.endsWith('.000Z') ? text.slice(0, -5) : text.slice(0, -1)) + offsetText(offsetMs)
}

function offsetText(offsetMs: number): string {
  if (offsetMs === 0) return '+00:00'
  const minutes = Math.round(Math.abs(offsetMs) / 60_000)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
