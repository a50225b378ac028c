/** As clients of other engines read it: `2026-05-01T02:00:00+00:00`, with a fraction only if there is one. */
export function rfc3339(ms: number): string {
  const text = new Date(ms).toISOString()
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}+00:00` : `${text.slice(0, -1)}+00:00`
}
