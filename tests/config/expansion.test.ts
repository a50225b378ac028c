// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the subject of these tests
import { describe, expect, test } from 'bun:test'
import { places, problems, read, settings } from './support.ts'

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
    expect(
      settings('workers: [{ name: http, config: { host: "$${A}${B}" } }]', { B: 'c' }).workers[0]?.config,
    ).toMatchObject({
      host: '${A}c',
    })
  })

  test('a number or boolean in quotes is read as such when it was written as a variable, and only then', () => {
    const text = 'workers: [{ name: http, config: { port: "${P:3000}", verbose: "${V}" } }]'
    expect(settings(text, { V: 'true' }).workers[0]?.config).toMatchObject({ port: 3000, verbose: true })
    expect(places(text, { V: 'perhaps' })).toEqual([
      `1:${text.indexOf('"${V}"') + 1} workers[0].config.verbose`,
    ])
    expect(places('workers: [{ name: http, config: { port: "3000" } }]')).toEqual([
      '1:41 workers[0].config.port',
    ])
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
    const env = { A: 'x\n# two', B: 'a much longer value than its reference' }
    const text = 'workers: # ${A}\n  - { name: iii-echo, image: "${B}", confg: 1 }\n  - { nam: 1 }\n'
    expect(places(text, env)).toEqual(['2:38 workers[0].confg', '3:5 workers[1].name', '3:7 workers[1].nam'])
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

  for (const value of ['[', '"', '}', '@y', '- a\n- b', 'hunter22: hunter22', '*hunter22', '%hunter22']) {
    test(`nor when it breaks the YAML around it: ${JSON.stringify(value)}`, () => {
      const found = problems('workers:\n  - name: http\n    config: { host: ${S} }\n', { S: value })
      expect(JSON.stringify(found)).not.toContain('hunter')
      for (const problem of found) expect(problem.line).toBeWithin(2, 5)
    })
  }

  test('values of secret keys in the file are not shown either', () => {
    expect(JSON.stringify(problems('workers: [{ name: http, config: { api_token: gren } }]'))).not.toContain(
      'gren"',
    )
    const [problem] = problems('workers: [{ name: http, config: { api_token: gren } }]')
    expect(problem?.suggestion).toBeUndefined()
  })
})
