/** Not a test of the project: a file that fails before its first test. */
import { test } from 'bun:test'

test('is never reached', () => {})
throw new Error('broken on purpose')
