import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { defaultSettings } from '../../src/config/complete.ts'
import { readConfig } from '../../src/config/read.ts'
import type { ConfigProblem, Environment, KnownWorkers, Settings } from '../../src/config/settings.ts'

const httpSchema = z.strictObject({
  port: z.int().min(0).max(65_535).default(3111),
  host: z.string().default('127.0.0.1'),
  verbose: z.boolean().default(false),
  api_token: z.enum(['red', 'green']).optional(),
  mode: z.enum(['fast', 'slow']).optional(),
  cors: z.strictObject({ allowed_origins: z.array(z.string()) }).optional(),
  adapter: z
    .union([z.literal('memory'), z.strictObject({ name: z.string(), config: z.strictObject({ url: z.string() }) })])
    .optional(),
})

const knownWorkers: KnownWorkers = new Map([
  ['iii-http', { aliases: ['http'], schema: httpSchema, multiple: false }],
  ['iii-echo', { aliases: [], schema: z.strictObject({ n: z.int().default(0) }), multiple: true }],
])

function read(text: string, env: Environment = {}) {
  return readConfig(text, { env, path: '/project/config.yaml', knownWorkers, insecure: false })
}

function settings(text: string, env: Environment = {}): Settings {
  const result = read(text, env)
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.problems)}`)
  return result.settings
}

function problems(text: string, env: Environment = {}): readonly ConfigProblem[] {
  const result = read(text, env)
  if (result.ok) throw new Error('was not refused')
  return result.problems
}

const places = (text: string, env: Environment = {}) =>
  problems(text, env).map(({ line, column, path }) => `${line}:${column} ${path}`)

const implicitListener = { host: '127.0.0.1', port: 49_134, handshake_timeout_ms: 10_000 }

describe('an empty configuration', () => {
  for (const text of ['', '\n# nothing\n', 'workers:\n', 'workers: []', 'workers: ~\nmodules: ~', '---\n']) {
    test(`${JSON.stringify(text)} starts the implicit listener and no workers`, () => {
      expect(settings(text)).toEqual({
        namespaceGraceMs: 5000,
        listeners: [implicitListener],
        workers: [],
        warnings: [],
        file: '/project/config.yaml',
        insecure: false,
      })
    })
  }
})

describe('which workers start', () => {
  test('with a file, those that it lists, with their defaults filled in', () => {
    const { workers } = settings('workers:\n  - name: iii-http\n    config: { port: 8080 }\n')
    const config = { port: 8080, host: '127.0.0.1', verbose: false }
    expect(workers).toEqual([{ name: 'iii-http', instance: 'iii-http', config }])
  })

  test('without a file, the default set, and further down nothing that must be listed', () => {
    const result = defaultSettings({ env: {}, knownWorkers, insecure: true })
    if (!result.ok) throw new Error('refused')
    expect(result.settings.workers.map(worker => worker.name)).toEqual(['iii-http'])
    expect(result.settings.listeners).toEqual([implicitListener])
    expect(result.settings.file).toBeUndefined()
    expect(result.settings.insecure).toBe(true)
  })

  test('an alias names the same worker', () => {
    expect(settings('workers: [{ name: http }]').workers[0]?.name).toBe('iii-http')
  })

  test('entries of `modules` come after those of `workers`', () => {
    const { workers } = settings('modules: [{ name: iii-echo }]\nworkers: [{ name: http }]')
    expect(workers.map(worker => worker.name)).toEqual(['iii-http', 'iii-echo'])
  })

  test('a worker that is always on starts although the file does not list it', () => {
    const always = new Map([...knownWorkers, ['iii-engine-functions', { aliases: [], schema: z.object({}), multiple: false }]])
    const result = readConfig('workers: []', { env: {}, path: '/c', knownWorkers: always, insecure: false })
    expect(result.ok && result.settings.workers.map(worker => worker.name)).toEqual(['iii-engine-functions'])
  })

  test('further instances get ids', () => {
    const { workers } = settings('workers: [{ name: iii-echo }, { name: iii-echo, config: { n: 1 } }, { name: iii-echo }]')
    expect(workers.map(worker => worker.instance)).toEqual(['iii-echo', 'iii-echo#1', 'iii-echo#2'])
    expect(workers[1]?.config).toEqual({ n: 1 })
  })

  test('a declared listener replaces the implicit one, and there may be several', () => {
    const text = 'workers:\n- name: iii-worker-manager\n  config: { port: 1 }\n- name: iii-worker-manager\n  config: { port: 2 }\n'
    expect(settings(text).listeners.map(listener => listener.port)).toEqual([1, 2])
  })

  test('two listeners on one address are refused', () => {
    const text = 'workers:\n- name: iii-worker-manager\n- name: iii-worker-manager\n'
    expect(problems(text)[0]?.message).toContain('127.0.0.1:49134')
  })

  test('workers of later versions and outside programs are accepted by name, with one warning each', () => {
    const { workers, warnings } = settings('workers:\n- name: cron\n- name: my-worker\n  image: x/y:1\n- name: iii-htpp\n')
    expect(workers).toEqual([])
    expect(warnings).toEqual([
      'cron (line 2) is not part of this version yet and is not started',
      'my-worker (line 3) is not a built-in worker; starting other workers is not part of this version yet and it is not started',
      "iii-htpp (line 5) is not a built-in worker; starting other workers is not part of this version yet and it is not started; did you mean 'iii-http'?",
    ])
  })

  test('telemetry is accepted and ignored', () => {
    const { workers, warnings } = settings('workers: [{ name: iii-telemetry, config: { enabled: true } }]')
    expect(workers).toEqual([])
    expect(warnings).toHaveLength(1)
  })
})

describe('duplicates', () => {
  for (const [one, other] of [
    ['iii-http', 'http'],
    ['cron', 'iii-cron'],
    ['iii-queue', 'queue'],
    ['state', 'iii-state'],
    ['iii-pubsub', 'pubsub'],
  ]) {
    test(`${one} and ${other} together are refused`, () => {
      const [problem] = problems(`workers:\n- name: ${one}\n- name: ${other}\n`)
      expect(problem?.message).toStartWith('Duplicate worker configurations: ')
      expect(problem).toMatchObject({ path: 'workers[1].name', line: 3, column: 9 })
    })
  }

  test('a worker that can run only once is refused the second time', () => {
    expect(problems('workers: [{ name: http }, { name: http }]')[0]?.message).toStartWith('Duplicate worker configurations: ')
  })
})

describe('the grace', () => {
  test('comes from the file, and the environment overrides it', () => {
    expect(settings('registration_namespace_grace_ms: 70').namespaceGraceMs).toBe(70)
    expect(settings('registration_namespace_grace_ms: 70', { III_NAMESPACE_GRACE_MS: '0' }).namespaceGraceMs).toBe(0)
    expect(settings('', { III_NAMESPACE_GRACE_MS: '' }).namespaceGraceMs).toBe(5000)
  })

  test('an override that is not a number is refused without showing it', () => {
    const [problem] = problems('', { III_NAMESPACE_GRACE_MS: 'hunter2' })
    expect(problem?.message).toContain('III_NAMESPACE_GRACE_MS')
    expect(JSON.stringify(problem)).not.toContain('hunter2')
    expect(defaultSettings({ env: { III_NAMESPACE_GRACE_MS: '-1' }, knownWorkers, insecure: false }).ok).toBe(false)
  })
})

describe('refusals', () => {
  test('every problem of a file is reported at once, in the order of the file, at its place', () => {
    const text = [
      'worker: []',
      'workers:',
      '  - name: http',
      '    confg: 1',
      '    config:',
      '      prot: 1',
      '      port: 70000',
      '      cors:',
      '        allow_origins: []',
      '  - config: {}',
      '  - 7',
      '',
    ].join('\n')
    expect(places(text)).toEqual([
      '1:1 worker',
      '4:5 workers[0].confg',
      '6:7 workers[0].config.prot',
      '7:13 workers[0].config.port',
      '9:9 workers[0].config.cors.allowed_origins',
      '9:9 workers[0].config.cors.allow_origins',
      '10:5 workers[1].name',
      '11:5 workers[2]',
    ])
  })

  test('an unknown key is named with its nearest neighbour, and with all keys when nothing is near', () => {
    expect(problems('wrokers: []')[0]?.suggestion).toBe("Did you mean 'workers'?")
    expect(problems('workers: [{ name: http, config: { Verbose: 1 } }]')[0]?.suggestion).toBe("Did you mean 'verbose'?")
    expect(problems('workers: [{ name: http, config: { xylophone: 1 } }]')[0]?.suggestion).toStartWith('Known keys: port, ')
    const adapter = 'workers: [{ name: http, config: { adapter: { name: a, config: { rul: b } } } }]'
    expect(problems(adapter).map(problem => problem.suggestion)).toContain("Did you mean 'url'?")
  })

  test('a wrong choice is answered with the choices', () => {
    const [problem] = problems('workers: [{ name: http, config: { mode: fats } }]')
    expect(problem).toMatchObject({ message: 'must be one of fast, slow', suggestion: "Did you mean 'fast'?" })
  })

  test('what would leave a listener open is refused, not ignored', () => {
    const [problem] = problems('workers: [{ name: iii-worker-manager, config: { rbac: {}, port: 1 } }]')
    expect(problem?.path).toBe('workers[0].config.rbac')
    expect(problem?.message).toContain('not supported yet')
  })

  test('text that is not YAML, or not a mapping, or two documents', () => {
    expect(places('workers: [\n  }')[0]).toStartWith('2:3')
    expect(problems('- 1')[0]?.message).toBe('expected object, received array')
    expect(problems('just words')[0]?.message).toBe('expected object, received string')
    expect(problems('a: 1\n---\nb: 2')).toHaveLength(1)
    expect(problems('workers: []\nworkers: []')[0]?.line).toBe(2)
  })

  test('a flood of aliases is refused instead of expanded', () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const of = level === 0 ? '"x"' : `*a${level - 1}`
      return `a${level}: &a${level} [${Array(9).fill(of).join(', ')}]`
    })
    expect(problems(levels.join('\n'))[0]?.message).toContain('alias')
  })

  test('a key called __proto__ is a key like others', () => {
    expect(problems('workers: [{ name: http, config: { __proto__: { port: 1 } } }]')[0]?.path).toEndWith('config.__proto__')
    expect(({} as { port?: number }).port).toBeUndefined()
  })
})

describe('environment expansion', () => {
  test('a set variable is used even if empty, a default where it is not set', () => {
    const text = 'workers: [{ name: http, config: { host: "${A:x}", port: ${B:80} } }]'
    expect(settings(text, { A: '', B: '81' }).workers[0]?.config).toMatchObject({ host: '', port: 81 })
    expect(settings(text).workers[0]?.config).toMatchObject({ host: 'x', port: 80 })
  })

  test('a default may hold colons or nothing', () => {
    const text = 'workers: [{ name: http, config: { host: "${A:a:b://c}", mode: ${B:}fast } }]'
    expect(settings(text).workers[0]?.config).toMatchObject({ host: 'a:b://c', mode: 'fast' })
  })

  test('$${ stays a literal ${', () => {
    expect(settings('workers: [{ name: http, config: { host: "$${A}${B}" } }]', { B: 'c' }).workers[0]?.config).toMatchObject({
      host: '${A}c',
    })
  })

  test('a number or boolean in quotes is read as such when it was written as a variable, and only then', () => {
    const text = 'workers: [{ name: http, config: { port: "${P:3000}", verbose: "${V}" } }]'
    expect(settings(text, { V: 'true' }).workers[0]?.config).toMatchObject({ port: 3000, verbose: true })
    expect(places(text, { V: 'perhaps' })).toEqual(['1:62 workers[0].config.verbose'])
    expect(places('workers: [{ name: http, config: { port: "3000" } }]')).toEqual(['1:41 workers[0].config.port'])
    expect(settings('registration_namespace_grace_ms: "${G:9}"').namespaceGraceMs).toBe(9)
  })

  test('all missing variables are reported at once with their lines', () => {
    const text = 'workers:\n  - name: ${ONE}\n    image: "${TWO}${ONE}"\n'
    expect(places(text)).toEqual(['2:11 ', '3:13 ', '3:19 '])
    expect(problems(text)[0]?.message).toBe("Environment variable 'ONE' not set and no default provided")
  })

  test('a variable that only a comment mentions is not needed', () => {
    const text = '# ${A}\nworkers: # ${B}\n  - name: http\n    config: { host: "# ${C:c}" } # ${D:-x}\n'
    expect(settings(text)).toMatchObject({ warnings: [], workers: [{ config: { host: '# c' } }] })
    expect(places('workers: [{ name: "# ${A}" }]')).toEqual(['1:22 '])
    expect(places('a: |\n  # ${A}\n')).toEqual(['2:5 '])
  })

  test('names of the object prototype are not variables', () => {
    expect(problems('a: ${constructor}')[0]?.message).toContain("'constructor' not set")
  })

  test("the shell's ${NAME:-default} is warned about with its line", () => {
    const { warnings, workers } = settings('workers:\n  - name: iii-echo\n    config: { n: ${N:-1} }\n')
    expect(workers[0]?.config).toEqual({ n: -1 })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toStartWith('line 3: ')
  })

  test('problems stand at their place in the file, not in the expanded text', () => {
    const env = { A: 'one\n# two\n# three\n# four', B: 'a much longer value than its reference' }
    const text = 'workers: # ${A}\n  - { name: iii-echo, image: "${B}", confg: 1 }\n  - { nam: 1 }\n'
    expect(problems('a: 1 # ${A}\nb: 1', { A: 'x\n#y' }).map(problem => problem.line)).toEqual([1, 2])
    expect(places(text.replace('one\n', ''), { ...env, A: 'one\n# two' })).toEqual([
      '2:38 workers[0].confg',
      '3:5 workers[1].name',
      '3:7 workers[1].nam',
    ])
  })
})

describe('secrets', () => {
  const secret = 'hunter22-hunter22'
  const texts = [
    'workers: [{ name: http, config: { port: ${S} } }]',
    'workers: [{ name: http, config: { mode: ${S}, api_token: ${S} } }]',
    'workers: [{ name: http, config: { ${S}: 1 } }]',
    'workers: [{ name: http, config: { port: {${S}: {${S}: 1}} } }]',
    '${S}: 1',
    'a: !${S} b',
    'a: *${S}',
    'a: "\\${S}"',
    'a: | ${S}\n b',
    'a: {b: ${S}',
    '? [${S}]\n: 1',
    'workers: [{ name: ${S} }, { name: http }, { name: ${S}, x: 1 }]',
    'workers: [{ name: "http", config: { port: "${S}" } }]',
  ]
  for (const text of texts) {
    test(`a value from the environment is not shown: ${text}`, () => {
      expect(JSON.stringify(read(text, { S: secret }))).not.toContain('hunter')
    })
  }

  for (const value of ['[', '"', '}', '!!x', '@y', '- a\n- b', 'hunter22: hunter22', '*hunter22', '%hunter22']) {
    test(`nor when it breaks the YAML around it: ${JSON.stringify(value)}`, () => {
      const found = problems('workers:\n  - name: http\n    config: { host: ${S} }\n', { S: value })
      expect(JSON.stringify(found)).not.toContain('hunter')
      for (const problem of found) expect(problem.line).toBeWithin(2, 5)
    })
  }

  test('values of secret keys in the file are not shown either', () => {
    expect(JSON.stringify(problems('workers: [{ name: http, config: { api_token: gren } }]'))).not.toContain('gren"')
    const [problem] = problems('workers: [{ name: http, config: { api_token: gren } }]')
    expect(problem?.suggestion).toBeUndefined()
  })
})
