/** A page of dead messages reads what is on it. */
import { expect, test } from 'bun:test'
import { deadPage } from '../../../src/storage/queue/deadPage.ts'
import { setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

test.each(queueTables)('in tables of %s those before the page are not read', (_, open) => {
  using opened = open()
  const stage = setQueueStage(opened.tables)
  for (let count = 0; count < 20; count++) {
    const number = stage.publish(`${count}`)
    stage.nowMs++
    stage.fail(number, 'never')
  }
  let read = 0
  const tables = {
    deadPlaces: opened.tables.deadPlaces,
    get(number: number) {
      read++
      return opened.tables.get(number)
    },
  }
  const page = deadPage(tables, ['q'], 15, 3)
  expect(page.map(({ data }) => JSON.parse(data))).toEqual(['4', '3', '2'])
  expect(read).toBe(3)
})
