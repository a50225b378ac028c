/** Names of members on the wire are written as everything there is: `late_results`. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([name, member]) => [
      name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
      snakeCase(member),
    ]),
  )
}
