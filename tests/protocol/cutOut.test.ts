import { expect, test } from 'bun:test'
import { cutOut } from '../../src/protocol/json/cutOut.ts'
import { createObjectScanner } from '../../src/protocol/json/scan.ts'
import { elementsOf, membersOf } from '../../src/protocol/json/split.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'

const MESSAGES = 100
const JUNK = 1_000_000

const messageOf = (number: number): string =>
  `{"value":"some text of a usual length, number ${number}","list":["an element that is not short"],"junk":"${'j'.repeat(JUNK)}${number}"}`

/** Megabytes that stay when what `keep` returns of each message is kept. */
function kept(keep: (message: string) => unknown): number {
  const all: unknown[] = []
  Bun.gc(true)
  const before = process.memoryUsage().rss
  for (let number = 0; number < MESSAGES; number++) {
    all.push(keep(messageOf(number)))
    if (number % 10 === 9) Bun.gc(true)
  }
  const megabytes = (process.memoryUsage().rss - before) / 1e6
  expect(all).toHaveLength(MESSAGES)
  return megabytes
}

const scanner = createObjectScanner(['value'])

test.each([
  ['a member that a scanner has found', text => (scanner.scan(text) === undefined ? scanner.slice(0) : text)],
  ['a member', text => membersOf(asJsonText(text)).get('value')],
  ['an element', text => elementsOf(asJsonText(`[1,"another value",${text}]`)).slice(0, 2)],
] satisfies [string, (text: string) => unknown][])(
  '%s does not keep the message it was cut out of',
  (_, keep) => {
    // All of them are 100 MB.
    expect(kept(keep)).toBeLessThan(50)
  },
)

test('what is copied is the same text', () => {
  const text = `${'x'.repeat(5000)}"\ud800 \u0000 ä € \u{1f600}"`
  expect(cutOut(text, 4990, text.length)).toBe(text.slice(4990))
  expect(cutOut(text, 5000, 5000)).toBe('')
  expect(cutOut(text, 0, text.length)).toBe(text)
})
