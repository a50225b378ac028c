/** Texts to start from: messages as the published clients write them, and JSON at its edges. */

/** `type` first: Node, browser, Rust. */
const typeFirst = [
  '{"type":"invokefunction","invocation_id":"c2a4a5a6-0000-4000-8000-0000000000aa","function_id":"orders::create","data":{"n":1},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","baggage":"user.id=1","namespace":"default"}',
  '{"type":"registertrigger","id":"6d1f","trigger_type":"http","function_id":"orders::create","config":{"api_path":"/orders","http_method":"POST"},"metadata":{"team":"x"},"message_type":"registertrigger"}',
  '{"type":"invocationresult","invocation_id":"c2a4a5a6-0000-4000-8000-0000000000aa","function_id":"f","error":{"code":"invocation_failed","message":"boom","stacktrace":"Error: boom\\n at ..."}}',
]

/** `type` last, blanks, escapes for everything beyond ASCII: Python up to 0.24. */
const typeLast = [
  '{"function_id": "orders::create", "data": {"n": 1, "name": "Gr\\u00fc\\u00dfe \\ud83d\\ude00"}, "invocation_id": "b88aa5a6-0000-4000-8000-0000000000aa", "type": "invokefunction"}',
  '{"invocation_id": "cac6a5a6-0000-4000-8000-0000000000aa", "function_id": "orders::none", "type": "invocationresult", "result":null}',
]

/** Alphabetical, `<>&` escaped: Go. */
const alphabetical = [
  '{"action":{"type":"enqueue","queue":"payment"},"baggage":"a=1","data":{"html":"\\u003cb\\u003e \\u0026"},"function_id":"pay::process","invocation_id":"d0d0a5a6-0000-4000-8000-0000000000aa","metadata":null,"namespace":"default","traceparent":"","type":"invokefunction"}',
]

const edges = [
  '{}',
  ' \t\r\n{ } ',
  '[]',
  'null',
  'true',
  '-0',
  '1e400',
  '-1E+400',
  `1${'0'.repeat(400)}`,
  `0.${'0'.repeat(400)}1`,
  '9007199254740993',
  '1.0',
  '0.1e-10',
  '""',
  '"\\ud800"',
  '"\\ud83d\\ude00"',
  '"\\udc00\\ud800"',
  '"\\u0000\\/\\b\\f\\n\\r\\t\\"\\\\"',
  '"\u2028\u2029\u007f"',
  '{"__proto__":{"type":"x"},"constructor":1,"type":"ping"}',
  '{"type":"ping","type":"pong"}',
  '{"\\u0074ype":"ping"}',
  '{"a":[{"b":[[],{}]}],"c":{"d":{}}}',
  '[1,2,[3,"]",{"}":"["}]]',
  '{\n  "data": {\n    "x": "\\"quoted\\""\n  },\n\t"type"\r\n:\r\n"ping"\n}\n',
]

export const corpus: readonly string[] = [...typeFirst, ...typeLast, ...alphabetical, ...edges]
