"""Findings that stand, each with its reason: (rule, path pattern, reason).

One that covers no finding any more is itself a finding, so this list only holds what is true.
"""

EXCEPTIONS = [
    # The seams: where work is started for someone who must get an answer.
    ("catch", "src/base/task.cpp", "spawn: an exception ends that task only"),
    ("catch", "src/http/session.cpp", "a handler's exception becomes a 503 or a 500"),
    ("catch", "src/http/forwarding.cpp", "an upstream that is away is answered 502 or 504"),
    ("catch", "src/http/certificate.cpp", "a certificate that is refused is an answer, too"),
    ("catch", "src/http/upstream.cpp", "no answer is an attempt's outcome, for who repeats it"),
    ("catch", "src/admin/status.cpp", "a part that cannot be had is null, and the rest is told"),
    ("catch", "src/webhooks/spooling.cpp", "a database that is away is what the spool is for"),
    ("catch", "src/jobs/worker.cpp", "an attempt that fails is recorded and repeated"),
    ("catch", "src/jobs/work_loop.cpp", "a round that fails is logged and tried again"),
    ("catch", "src/gate/decider.cpp", "a decision that fails is a denial"),
    ("catch", "src/gate/decide_route.cpp", "no answer but 200, 401 or 403: nginx makes 500 of it"),
    ("catch", "src/cli/one_shot.cpp", "a command's exception becomes its exit code"),
    ("catch", "src/cli/cli.cpp", "CLI11 reports wrong usage by exception only"),
    ("catch", "src/sim/clerk_delivery.cpp", "an endpoint that is away is an attempt to record"),

    ("banned-print", "examples/*main.cpp", "a program that talks to a terminal"),

    ("banned-clock", "src/base/clock.cpp", "the one place that asks the machine for the time"),

    # Threads. The service has one; these are beside it.
    ("banned-mutex", "src/base/log.cpp", "a test or a library may log from another thread"),
    ("banned-thread", "src/base/log_test.cpp", "shows that threads may log at once"),
    ("banned-thread", "src/pg/cancel.cpp", "libpq 15 cancels a statement only by blocking"),
    ("banned-thread", "tests/support/fault_proxy.*", "must go on while the loop under test waits"),
    ("banned-sleep", "tests/support/*", "the pause in the loops that wait for a condition"),
]
