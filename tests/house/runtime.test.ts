import { expect, test } from 'bun:test'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')

test('the server below is uWebSockets, as decision 0001 says', () => {
  expect(process.versions.uwebsockets).toMatch(/^[0-9a-f]{40}$/)
})

test('one Bun version everywhere: the pin, the running one, its types, the container image', async () => {
  const { packageManager, devDependencies } = await Bun.file(join(root, 'package.json')).json()
  const dockerfile = await Bun.file(join(root, 'Dockerfile')).text()
  const version = packageManager.replace('bun@', '')
  expect(Bun.version).toBe(version)
  expect(devDependencies['bun-types']).toBe(version)
  const images = [...dockerfile.matchAll(/^FROM oven\/bun:(\d+\.\d+\.\d+)/gm)].map(([, tag]) => tag)
  expect(new Set(images)).toEqual(new Set([version]))
})
