import { asJsonText, type JsonText } from '../../protocol/jsonText.ts'
import { type Failure, failure } from './failure.ts'
import type { UpdateOperation } from './operation.ts'
import { checkPath, notAnObject, segmentsOf, shown } from './path.ts'
import { type Node, openRoot, type Tree, typeOf } from './tree.ts'

type Count = UpdateOperation & { type: 'increment' | 'decrement' }

const LEAST = -(2n ** 63n)
const MOST = 2n ** 64n - 1n

/** `-0` is a float: there is no such integer. */
const INTEGER = /^(0|-?[1-9]\d*)$/
/** Digits that fit into any 64-bit integer, and into the time it takes to read them. */
const MOST_DIGITS = 20

/** A float stays one to readers who tell them apart. */
function floatText(value: number): JsonText {
  const text = String(value)
  return asJsonText(Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text)
}

/** The sum; `undefined` when it is no number that can be kept exactly. */
function added(number: JsonText, by: bigint): JsonText | undefined {
  if (!INTEGER.test(number)) return floatText(Number(number) + Number(by))
  if (number.length > MOST_DIGITS) return undefined
  const present = BigInt(number)
  const sum = present + by
  // An integer that is beyond the range already cannot be brought back: nobody else has read it as one.
  if (present < LEAST || present > MOST || sum < LEAST || sum > MOST) return undefined
  return asJsonText(sum.toString())
}

/** Adds to a number, or subtracts from it. What is missing starts as 0. */
export function count(tree: Tree, operation: Count): Failure | undefined {
  const { type: name } = operation
  const segments = segmentsOf(operation.path)
  const by = name === 'increment' ? operation.by : -operation.by
  const refused = checkPath(name, segments)
  if (refused !== undefined) return refused
  const notANumber = (node: Node): Failure =>
    failure(`${name}.not_number`, `Expected number at path '${shown(name, segments)}', got ${typeOf(node)}.`)
  const [key] = segments
  if (key === undefined) {
    const start = tree.wasMissing ? asJsonText('0') : tree.root
    const sum = typeof start === 'string' && typeOf(start) === 'number' ? added(start, by) : undefined
    if (sum === undefined) return notANumber(start)
    tree.root = sum
    return undefined
  }
  const root = openRoot(tree)
  if (root === undefined) return notAnObject(name, segments, typeOf(tree.root))
  const present = root.members.get(key) ?? asJsonText('0')
  const sum = typeof present === 'string' && typeOf(present) === 'number' ? added(present, by) : undefined
  if (sum === undefined) return notANumber(present)
  root.members.set(key, sum)
  return undefined
}
