/** Keys of a map must differ: of two equal ones some readers take the first and others the last. */
import { FieldProblem } from '../fieldProblem.ts'

/** Up to this many keys are compared one by one; a set costs more. */
const COMPARED = 8

/** Adds a key to those of one map. Throws when it is there already; `where` begins the sentence. */
export function addKey(keys: string[] | Set<string>, key: string, where: string): string[] | Set<string> {
  const seen = Array.isArray(keys) ? keys.includes(key) : keys.has(key)
  if (seen) throw new FieldProblem('untranslatable', `${where}: a key occurs twice: ${key.slice(0, 64)}`)
  if (!Array.isArray(keys)) return keys.add(key)
  keys.push(key)
  return keys.length > COMPARED ? new Set(keys) : keys
}
