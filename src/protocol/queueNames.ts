/** In front of the name of a named queue, where it is kept and in lists of dead messages: published clients know it. */
export const NAMED_QUEUE = '__fn_queue::'

/** Of a queue as it is kept: a named queue as people call it, that of a subscription as it is. */
export const withoutPrefix = (queue: string): string =>
  queue.startsWith(NAMED_QUEUE) ? queue.slice(NAMED_QUEUE.length) : queue
