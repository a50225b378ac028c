import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { shapes } from '../../scripts/shapes.ts'

test('what is run on other threads is there, and all of it is run once', () => {
  const paths = shapes.flatMap(({ paths = [] }) => paths)
  expect(paths.filter(path => !existsSync(join(import.meta.dir, '..', path)))).toEqual([])
  expect(shapes.filter(({ paths }) => paths === undefined)).toHaveLength(1)
})

test('engines of 0, 1, 2 and 4 shards are tested, and both ways to accept connections', () => {
  const shards = new Set(shapes.map(({ env }) => env.III_TEST_SHARDS))
  expect([...shards].sort()).toEqual(['0', '1', '2', '4'])
  expect(new Set(shapes.map(({ env }) => env.III_TEST_ACCEPTOR))).toEqual(new Set(['kernel', 'thread']))
})
