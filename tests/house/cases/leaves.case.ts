/** Not a test of the project: a test that ends its process, so that nothing after it is known. */
import { test } from 'bun:test'

test('leaves', () => process.exit(0))
