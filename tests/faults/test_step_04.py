"""The code of step 04 breaks what is promised, for the recorded reasons."""

from tests.faults.before import complaints, recorded, rows, tried

# One of each module, the quick ones; `make soak` tries them all.
SAMPLE = [
    "test_admin.py::test_rollback",
    "test_clients.py::test_refusal[binary]",
    "test_events.py::test_forged",
    "test_events.py::test_malformed[null]",
    "test_redis.py::test_kill",
    "test_secrets.py::test_tokens",
    "test_shutdown.py::test_handshake",
    "test_streams.py::test_redis_is_killed_under_load",
]


def test_every_fault_is_recorded() -> None:
    """Of each fault, it is known what becomes of step 04, and why."""
    record = recorded()
    known = [test for kind in record.values() for test in kind]
    assert sorted(rows()) == sorted(known)
    assert all(reason for kind in record.values() for reason in kind.values())


def test_step_04_fails() -> None:
    """The code of step 04 breaks what is promised, for the recorded reasons."""
    tests = [f"tests/faults/{name}" for name in SAMPLE]
    came = tried(tests)
    assert sorted(tests) == sorted(came)
    assert [] == [*complaints(came)]
