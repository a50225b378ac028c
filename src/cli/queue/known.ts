/** Whether there is a queue of a name: the functions take any name, and a typing mistake in a command should not succeed. */
import { nearestName } from '../../log/nearest.ts'
import type { JsonText } from '../../protocol/jsonText.ts'
import { withoutPrefix } from '../../protocol/queueNames.ts'
import { CommandError, messageOf } from '../commandError.ts'
import { parseExact } from '../exactJson.ts'
import { textIn } from '../reading.ts'
import type { SpokenCommand } from '../spokenCommand.ts'

/** `list`: the answer of `engine::queue::list_topics`. Throws a `CommandError` `queue_not_found`. `words`: of the command. */
export function requireQueue(
  list: JsonText,
  queue: string,
  { iii }: SpokenCommand,
  words: (queue: string) => string,
): void {
  const rows = parseExact(list)
  // An engine that answers something else knows best itself.
  if (!Array.isArray(rows)) return
  const names = rows.map(row => textIn(row, 'name'))
  if (names.includes(withoutPrefix(queue))) return
  const nearest = nearestName(queue, names)
  const all = `${iii('queue ls')} shows all there are`
  throw new CommandError(`there is no queue and no topic '${messageOf(queue)}'`, {
    code: 'queue_not_found',
    causes: [
      'no queue is configured by this name, nobody subscribes to such a topic, and no message is kept',
    ],
    fix: nearest === undefined ? all : `did you mean '${messageOf(iii(words(nearest)))}'? ${all}`,
  })
}
