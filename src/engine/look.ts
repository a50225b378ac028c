/**
 * Whether the holder of a worker name still lives, when another worker wants that name: clients give up for good when they
 * are refused, so a connection that only the engine still sees must not keep a name (`docs/protocol/json.md#worker-names`).
 *
 *     announce ─▶ the name is held ─▶ the holder's thread asks it for a sign of life
 *                                       ├─ it gives one ───────────────────▶ announced again: refused
 *                                       ├─ its connection ends ────────────▶ announced again: accepted
 *                                       └─ nothing for signOfLifeMs: cut ──▶ announced again: accepted
 */
import type { EngineState } from './state.ts'

export function look(engine: EngineState, holderId: string, asker: string): void {
  const holder = engine.connections.get(holderId)
  const answer = (): void => engine.registry.submit({ command: 'looked', workerId: asker })
  // One that is gone: the directory hears of that first.
  if (holder?.link.probe === undefined) {
    answer()
    return
  }
  const { looks } = holder
  function over(): void {
    // It may be seen to live and end later.
    if (!looks.delete(over)) return
    cancel()
    answer()
  }
  const cancel = engine.clock.after(engine.limits.signOfLifeMs, () => {
    // Nothing is read of one that is held back.
    if (holder.stalledBy === 0) {
      engine.teardown(holder, 'it gave no sign of life when another worker announced its name')
    }
    over()
  })
  looks.add(over)
  holder.link.probe(over)
}
