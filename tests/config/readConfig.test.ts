// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { z } from 'zod'
import { defaultSettings } from '../../src/config/complete.ts'
import { readConfig } from '../../src/config/read.ts'
import { folders, knownWorkers, places, problems, settings, threads } from './support.ts'

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
        shards: 0,
        acceptor: 'kernel',
        data: { folder: '/project/data', base: '/project' },
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
    const result = defaultSettings({ env: {}, knownWorkers, insecure: true, threads, folders })
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
    const always = new Map([
      ...knownWorkers,
      ['iii-engine-functions', { schema: z.object({}), multiple: false }],
    ])
    const result = readConfig('workers: []', {
      env: {},
      path: '/c',
      knownWorkers: always,
      insecure: false,
      threads,
      folders,
    })
    expect(result.ok && result.settings.workers.map(worker => worker.name)).toEqual(['iii-engine-functions'])
  })

  test('further instances get ids', () => {
    const { workers } = settings(
      'workers: [{ name: iii-echo }, { name: iii-echo, config: { n: 1 } }, { name: iii-echo }]',
    )
    expect(workers.map(worker => worker.instance)).toEqual(['iii-echo', 'iii-echo#1', 'iii-echo#2'])
    expect(workers[1]?.config).toEqual({ n: 1 })
  })

  test('a declared listener replaces the implicit one, and there may be several', () => {
    const text =
      'workers:\n- name: iii-worker-manager\n  config: { port: 1 }\n- name: iii-worker-manager\n  config: { port: 2 }\n'
    expect(settings(text).listeners.map(listener => listener.port)).toEqual([1, 2])
  })

  test('two listeners on one address are refused', () => {
    const text = 'workers:\n- name: iii-worker-manager\n- name: iii-worker-manager\n'
    expect(problems(text)[0]?.message).toContain('same host and port')
  })

  test('workers of later versions and outside programs are accepted by name, with one warning each', () => {
    const { workers, warnings } = settings(
      'workers:\n- name: queue\n- name: my-worker\n  image: x/y:1\n- name: iii-htpp\n',
    )
    expect(workers).toEqual([])
    expect(warnings).toEqual([
      'queue (line 2) is not part of this version yet and is not started',
      'my-worker (line 3) is not a built-in worker; starting other workers is not part of this version yet and it is not started',
      "iii-htpp (line 5) is not a built-in worker; starting other workers is not part of this version yet and it is not started; did you mean 'iii-http'?",
    ])
  })

  test('a name near a built-in one is no problem by itself, but stands among the problems where there are some', () => {
    const found = problems(
      'workers:\n- name: iii-htpp\n- name: my-worker\n- name: iii-echo\n  config: { m: 1 }\n',
    )
    expect(found).toMatchObject([
      { path: 'workers[0].name', line: 2, suggestion: "Did you mean 'iii-http'?" },
      { path: 'workers[2].config.m', line: 5 },
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
    expect(problems('workers: [{ name: http }, { name: http }]')[0]?.message).toStartWith(
      'Duplicate worker configurations: ',
    )
  })
})

describe('the grace', () => {
  test('comes from the file, and the environment overrides it', () => {
    expect(settings('registration_namespace_grace_ms: 70').namespaceGraceMs).toBe(70)
    expect(
      settings('registration_namespace_grace_ms: 70', { III_NAMESPACE_GRACE_MS: '0' }).namespaceGraceMs,
    ).toBe(0)
    expect(settings('', { III_NAMESPACE_GRACE_MS: '' }).namespaceGraceMs).toBe(5000)
  })

  test('an override that is not a number is refused without showing it', () => {
    const [problem] = problems('', { III_NAMESPACE_GRACE_MS: 'hunter2' })
    expect(problem?.message).toContain('III_NAMESPACE_GRACE_MS')
    expect(JSON.stringify(problem)).not.toContain('hunter2')
    expect(
      defaultSettings({
        env: { III_NAMESPACE_GRACE_MS: '-1' },
        knownWorkers,
        insecure: false,
        threads,
        folders,
      }).ok,
    ).toBe(false)
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
    expect(problems('workers: [{ name: http, config: { Verbose: 1 } }]')[0]?.suggestion).toBe(
      "Did you mean 'verbose'?",
    )
    expect(problems('workers: [{ name: http, config: { xylophone: 1 } }]')[0]?.suggestion).toStartWith(
      'Known keys: port, ',
    )
    const adapter = 'workers: [{ name: http, config: { adapter: { name: a, config: { rul: b } } } }]'
    expect(problems(adapter).map(problem => problem.suggestion)).toContain("Did you mean 'url'?")
  })

  test('a wrong choice is answered with the choices', () => {
    const [problem] = problems('workers: [{ name: http, config: { mode: fats } }]')
    expect(problem).toMatchObject({
      message: 'must be one of fast, slow',
      suggestion: "Did you mean 'fast'?",
    })
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
    expect(problems('workers: [{ name: http, config: { __proto__: { port: 1 } } }]')[0]?.path).toEndWith(
      'config.__proto__',
    )
    expect(({} as { port?: number }).port).toBeUndefined()
  })
})

describe('whatever the text', () => {
  const pieces = [
    'workers:',
    '\n',
    '  ',
    '- ',
    'name: ',
    'http',
    '{',
    '}',
    '[',
    ']',
    ': ',
    ',',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '!',
    '#',
  ]
  const expansions = [
    '${S}',
    '${S:x}',
    '${MISSING}',
    '$${',
    '${',
    '<<',
    '?',
    '---',
    'config:',
    'workers:\n- name: ',
    'workers: [{ name: http, config: {',
    'port',
    '1',
    '\t',
    '\u{1f600}',
    '\ud800',
    '\r\n',
    '%',
  ]

  test('the answer is settings or problems with a place in the file, never a secret', () => {
    const text = fc
      .array(fc.constantFrom(...pieces, ...expansions), { maxLength: 40 })
      .map(parts => parts.join(''))
    const value = fc.constantFrom(
      'hunter22',
      '*hunter22',
      'a: hunter22',
      '"hunter22',
      '!hunter22',
      '',
      '\nhunter22: [',
      '{hunter22',
    )
    fc.assert(
      fc.property(text, value, (raw, secret) => {
        const result = readConfig(raw, {
          env: { S: secret },
          path: '/c',
          knownWorkers,
          insecure: false,
          threads,
          folders,
        })
        if (result.ok) {
          expect(JSON.stringify(result.settings.warnings)).not.toContain('hunter')
          return
        }
        expect(JSON.stringify(result.problems)).not.toContain('hunter')
        const lines = raw.split('\n')
        for (const { line, column } of result.problems) {
          expect(line).toBeWithin(1, lines.length + 1)
          expect(column).toBeWithin(1, lines[line! - 1]!.length + 2)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
