/** Time zones by their IANA names: how far the clock on the wall is ahead of UTC at an instant. */

export interface Zone {
  readonly name: string
  /** Milliseconds to add to an instant to get the wall time. */
  offsetAt(ms: number): number
}

export const UTC: Zone = { name: 'UTC', offsetAt: () => 0 }

const known = new Map<string, Zone>()

/** `undefined`: there is no zone of this name. */
export function zoneOf(name: string): Zone | undefined {
  if (name.toUpperCase() === 'UTC') return UTC
  const before = known.get(name)
  if (before !== undefined) return before
  try {
    const zone = createZone(name)
    known.set(name, zone)
    return zone
  } catch {
    return undefined
  }
}

function createZone(name: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  /** Of one quarter of an hour: no zone changes its clock within one. */
  let last: { readonly quarter: number; readonly offset: number } | undefined

  function lookUp(second: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(second)) parts[type] = Number(value)
    const { year, month, day, hour, minute } = parts
    return Date.UTC(year!, month! - 1, day!, hour!, minute!, parts.second!) - second
  }

  return {
    name,
    offsetAt(ms) {
      const quarter = Math.floor(ms / 900_000)
      if (last?.quarter === quarter) return last.offset
      const offset = lookUp(quarter * 900_000)
      last = { quarter, offset }
      return offset
    },
  }
}
