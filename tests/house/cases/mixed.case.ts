/** Not a test of the project: what `tests/house/runner.test.ts` has counted. */
import { expect, test } from 'bun:test'

test('passes', () => expect(1).toBe(1))
test('fails', () => expect(1).toBe(2))
test.skip('is skipped', () => {})
test.todo('is to be written')
