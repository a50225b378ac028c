/** Which built-in worker functions belong to that nobody has registered: it may just not be started. */

/** Of the built-ins that start only if the configuration file lists them. */
const owners: readonly (readonly [ids: RegExp, name: string])[] = [
  [/^(iii-)?state::/, 'iii-state'],
  [/^(iii-)?stream::/, 'iii-stream'],
  [/^(publish$|iii-pubsub::)/, 'iii-pubsub'],
  [/^(iii::durable::|iii::queue::|engine::queue::|queue::|iii-queue::)/, 'iii-queue'],
]

/** The name of the built-in that has such functions, if none of those that are registered is one of them. */
export function unstartedBuiltIn(functionId: string, registered: readonly string[]): string | undefined {
  const owner = owners.find(([ids]) => ids.test(functionId))
  if (owner === undefined || registered.some(id => owner[0].test(id))) return undefined
  return owner[1]
}

/** What to do then, for messages and the log. */
export function startAdvice(functionId: string, builtIn: string): string {
  return `${functionId} is of the built-in ${builtIn}, which this engine has not started; add \`- name: ${builtIn}\` to \`workers:\` in config.yaml`
}
