/** Advice names the command as it was typed. */
import { expect, test } from 'bun:test'
import { type StartFacts, spokenCommand } from '../../src/cli/spokenCommand.ts'

const onPath: Record<string, string> = { bun: '/usr/bin/bun' }
const facts = (more: Partial<StartFacts>): StartFacts => ({
  env: {},
  cwd: '/project',
  runtime: '/usr/bin/bun',
  script: '/project/src/main.ts',
  packageName: 'iii-engine',
  which: name => onPath[name],
  ...more,
})
const npm = (event: string, by = '/usr/lib/npm-cli.js', name = 'iii-engine') => ({
  env: { npm_lifecycle_event: event, npm_package_name: name, npm_execpath: by },
})

test.each([
  [{}, 'bun src/main.ts', 'bun src/main.ts'],
  [{ cwd: '/elsewhere' }, 'bun /project/src/main.ts', 'bun /project/src/main.ts'],
  [
    { runtime: '/project/.tools/bun', which: () => undefined },
    '.tools/bun src/main.ts',
    '.tools/bun src/main.ts',
  ],
  [{ which: () => '/project/src/main.ts' }, 'iii', 'iii'],
  [{ which: (name: string) => `/usr/bin/${name}` }, 'bun src/main.ts', 'bun src/main.ts'],
  [
    { cwd: '/', script: '/my project/src/main.ts' },
    'bun "my project/src/main.ts"',
    'bun "my project/src/main.ts"',
  ],
  [npm('start'), 'npm run -s iii --', 'npm start --'],
  [npm('iii'), 'npm run -s iii --', 'npm start --'],
  [npm('start', '/usr/bin/bun'), 'bun run iii', 'bun start'],
  [npm('test'), 'bun src/main.ts', 'bun src/main.ts'],
  [npm('start', '/usr/lib/npm-cli.js', 'shop'), 'bun src/main.ts', 'bun src/main.ts'],
] as [Partial<StartFacts>, string, string][])('%j', (more, iii, serve) => {
  const command = spokenCommand(facts(more))
  expect(command.iii('trigger x')).toBe(`${iii} trigger x`)
  expect(command.serve('--config FILE')).toBe(`${serve} --config FILE`)
  // Without words nothing has to be handed on.
  expect(command.serve()).toBe(serve.replace(/ --$/, ''))
})
