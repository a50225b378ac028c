/**
 * A list that stays in order: pieces of bounded length, so that adding and removing moves few items and looking for a
 * place halves twice. No two items may be equal.
 */
export interface SortedList<Item> {
  add(item: Item): void
  remove(item: Item): void
  first(): Item | undefined
  /** Items for which `isBefore` is not true, in order; all those for which it is must come first. */
  from(isBefore: (item: Item) => boolean): Generator<Item>
}

const PIECE = 512

export function createSortedList<Item>(compare: (one: Item, other: Item) => number): SortedList<Item> {
  const pieces: Item[][] = []

  /** The piece that holds the first item that is not before, or the last one. */
  function pieceOf(isBefore: (item: Item) => boolean): number {
    let [low, high] = [0, pieces.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(pieces[middle]!.at(-1)!)) low = middle + 1
      else high = middle
    }
    return low
  }

  function placeIn(piece: readonly Item[], isBefore: (item: Item) => boolean): number {
    let [low, high] = [0, piece.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(piece[middle]!)) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    add(item) {
      const isBefore = (other: Item): boolean => compare(other, item) < 0
      if (pieces.length === 0) pieces.push([])
      const number = pieceOf(isBefore)
      const piece = pieces[number]!
      piece.splice(placeIn(piece, isBefore), 0, item)
      if (piece.length <= PIECE) return
      // What comes in order fills its pieces.
      const isLast = number === pieces.length - 1
      pieces.splice(number + 1, 0, piece.splice(isLast ? PIECE : PIECE / 2))
    },
    remove(item) {
      const isBefore = (other: Item): boolean => compare(other, item) < 0
      const number = pieceOf(isBefore)
      const piece = pieces[number]
      const place = piece === undefined ? 0 : placeIn(piece, isBefore)
      if (piece?.[place] === undefined || compare(piece[place], item) !== 0) return
      piece.splice(place, 1)
      if (piece.length === 0) pieces.splice(number, 1)
    },
    first: () => pieces[0]?.[0],
    *from(isBefore) {
      const start = pieceOf(isBefore)
      for (let number = start; number < pieces.length; number++) {
        const piece = pieces[number]!
        for (let place = number === start ? placeIn(piece, isBefore) : 0; place < piece.length; place++) {
          yield piece[place]!
        }
      }
    },
  }
}
