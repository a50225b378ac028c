/** As much of a WebSocket as links need; results as those of `ServerWebSocket`. */
export interface Socket<Data = unknown> {
  readonly data: Data
  readonly readyState: number
  send(message: string | Uint8Array): number
  cork<Result>(run: () => Result): Result
  getBufferedAmount(): number
  /** Sends a ping; the far side answers it if it lives. */
  ping(): void
  pause(): void
  resume(): void
  close(code?: number, reason?: string): void
  terminate(): void
}
