-- What wrk asks for, and how it tells: wrk … URL -- METHOD ROUTES BODY
-- Requests go round all routes; the result is one line of JSON.
local requests = {}
local at = 0

function init(args)
  local method, routes, body = args[1], tonumber(args[2]), args[3]
  local headers = { ["content-type"] = "application/json" }
  for route = 0, routes - 1 do
    local path = string.format("/bench-%d/7?from=wrk", route)
    requests[route + 1] = wrk.format(method, path, headers, method == "POST" and body or nil)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
