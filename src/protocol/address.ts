/** Where an engine is when nobody says another place. */

/** Port of the worker listener. */
export const ENGINE_PORT = 49_134

/** What a client on the same machine dials. */
export const ENGINE_URL = `ws://127.0.0.1:${ENGINE_PORT}`
