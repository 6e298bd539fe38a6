-- What wrk runs: compares the body of each answer with the argument, and says in the last line how it went.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    expected = args[1]
    wrong = 0
end

function response(status, headers, body)
    if body ~= expected then
        wrong = wrong + 1
    end
end

function done(summary, latency, requests)
    local wrong = 0
    for _, thread in ipairs(threads) do
        wrong = wrong + thread:get("wrong")
    end
    local errors = summary.errors
    print(string.format("%d answers, %d wrong, %d refused, %d connect, %d read, %d write, %d timeout",
        summary.requests, wrong, errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
